//! A mail server that is far away gets hundreds of mails over several connections at once: none is lost, none is repeated
//! without need, and what goes wrong on one connection ends or spares the others as it should.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::ceph::tree;
use crate::cluster::{Cluster, Run, Running};
use crate::number;
use crate::relay::{Mail, Relay, Stage, says};

/// A round trip that makes a server far, and no test long.
const ROUND_TRIP_MS: &str = "8";

/// Enough for two connections.
const RECIPIENTS: usize = 240;

/// A place from which this machine is far away, as long as this lives.
struct FarAway {
    line: Child,
    name: String,
    /// This machine as it is seen from there.
    address: String,
}

impl FarAway {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("faults{}-{number}", std::process::id());
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/parts/far_away.py");
        let mut line = Command::new("python3")
            .arg(program)
            .args([&name, ROUND_TRIP_MS])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let said = line.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        assert!(!address.is_empty(), "no network namespace; this needs root");
        Self {
            line,
            name,
            address,
        }
    }
}

impl Drop for FarAway {
    fn drop(&mut self) {
        drop(self.line.stdin.take());
        let _ = self.line.wait();
    }
}

/// A cluster that lies there; its mail server is here. An OSD is down, of which many are to be told.
struct Bench {
    place: FarAway,
    cluster: Cluster,
    relay: Relay,
}

impl Bench {
    fn new(connections: u32) -> Self {
        let place = FarAway::new();
        let relay = Relay::start_at(&place.address);
        let mut cluster = Cluster::new();
        // Consul is not to be seen from there.
        cluster.set("checks.nodes.enabled", "false");
        cluster.set("smtp.host", &format!("\"{}\"", place.address));
        cluster.set("smtp.port", &relay.port().to_string());
        cluster.set("smtp.connections", &connections.to_string());
        // Each pass is to have something to tell, however often an OSD goes down for that.
        cluster.set("notify.flapping.enabled", "false");
        let recipients: Vec<String> = (0..RECIPIENTS)
            .map(|number| format!("r{number}@example.org"))
            .collect();
        cluster.recipients(&recipients.iter().map(String::as_str).collect::<Vec<_>>());
        let bench = Self {
            place,
            cluster,
            relay,
        };
        bench.show(&[0]);
        bench
    }

    fn show(&self, down: &[u32]) {
        let osd = |id| (id, if down.contains(&id) { "down" } else { "up" });
        let host: [(u32, &str); 2] = [osd(0), osd(1)];
        self.cluster.ceph.osds(tree(&[("node1", &host)]));
    }

    /// A pass that is made there.
    fn start(&self) -> Running {
        let there = self.cluster.command(&["check"]);
        let mut command = Command::new("/usr/sbin/ip");
        command.args(["netns", "exec", &self.place.name]);
        command.arg(there.get_program()).args(there.get_args());
        command.env_clear().current_dir(self.cluster.folder());
        let variables = there.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Cluster::spawn(command)
    }

    fn check(&self) -> Run {
        self.start().wait()
    }

    /// How many connections brought mails.
    fn used(&self, mails: &[Mail]) -> usize {
        let mut numbers: Vec<usize> = mails.iter().map(|mail| mail.connection).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    }
}

/// How often each mail came.
fn counts(mails: &[Mail]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for mail in mails {
        *counts.entry(mail.id()).or_default() += 1;
    }
    counts
}

#[test]
#[ignore = "needs root, and ip of iproute2"]
fn hundreds_of_mails_to_a_server_far_away_take_several_connections_and_each_arrives_once() {
    for (connections, expected) in [(1, 1), (2, 2), (8, 2)] {
        let bench = Bench::new(connections);
        bench.check().exits(0);
        let mails = bench.relay.take_mails();
        assert_eq!(bench.relay.connections().len(), expected);
        assert_eq!(bench.used(&mails), expected);
        assert_eq!(
            (mails.len(), counts(&mails).len()),
            (RECIPIENTS, RECIPIENTS)
        );
        bench.check().exits(0);
        assert!(bench.relay.take_mails().is_empty());
    }
    let mut near = Bench::new(8);
    near.cluster.set("smtp.host", "\"127.0.0.1\"");
    let port = near.cluster.relay.port().to_string();
    near.cluster.set("smtp.port", &port);
    assert_eq!(near.cluster.pass(0).len(), RECIPIENTS);
    assert_eq!(near.cluster.relay.connections().len(), 1);
}

#[test]
#[ignore = "needs root, and ip of iproute2"]
fn a_server_that_grants_only_one_connection_gets_all_over_that_one() {
    let bench = Bench::new(8);
    let busy = says("421 4.7.0 too many connections from you");
    bench.relay.fault_after(1, Stage::Greeting, busy);
    bench.check().exits(0);
    let mails = bench.relay.take_mails();
    assert_eq!(
        (mails.len(), counts(&mails).len()),
        (RECIPIENTS, RECIPIENTS)
    );
    assert_eq!(bench.used(&mails), 1);
    assert_eq!(bench.relay.connections().len(), 2, "tried once");
}

#[test]
#[ignore = "needs root, and ip of iproute2"]
fn what_holds_for_every_mail_ends_all_connections_and_the_rest_waits() {
    let bench = Bench::new(2);
    let down = says("421 4.3.2 shutting down");
    bench.relay.fault_after(100, Stage::Mail, down);
    bench
        .check()
        .exits(1)
        .says(&["stay queued", "421 4.3.2 shutting down"]);
    let before = bench.relay.take_mails();
    let waiting = bench.cluster.queue();
    assert_eq!((before.len(), waiting.len()), (100, RECIPIENTS - 100));
    assert!(waiting.iter().all(|mail| mail["attempts"] == 1));
    let dials = bench.relay.connections().len();
    assert!(dials <= 4, "each connection is renewed once: {dials}");
    bench.relay.heal();
    bench.check().exits(0);
    let all = [before, bench.relay.take_mails()].concat();
    assert_eq!((all.len(), counts(&all).len()), (RECIPIENTS, RECIPIENTS));
}

#[test]
#[ignore = "needs root, and ip of iproute2"]
fn told_to_end_every_connection_finishes_its_mail_and_none_is_repeated() {
    let bench = Bench::new(2);
    let pass = bench.start();
    bench.relay.wait_for(|_, mails| mails.len() >= 60);
    pass.terminate().exits(1).says(&["told to end"]);
    let before = bench.relay.take_mails();
    assert!(bench.used(&before) == 2 && before.len() < RECIPIENTS);
    bench.check().exits(0);
    let all = [before, bench.relay.take_mails()].concat();
    assert_eq!((all.len(), counts(&all).len()), (RECIPIENTS, RECIPIENTS));
}

#[test]
#[ignore = "needs root, and ip of iproute2"]
fn a_kill_repeats_at_most_one_mail_for_each_connection() {
    let kills = number("PETANOTIFY_FAR_KILLS", 8);
    let connections = 2;
    let bench = Bench::new(connections);
    let mut down: &[u32] = &[0];
    let begin = Instant::now();
    bench.check().exits(0);
    let pass = begin.elapsed();
    bench.relay.take_mails();
    let (mut repeats, mut mails) = (0, 0);
    for kill in 0..kills {
        // Every pass has something new to tell, until all are told of it.
        down = if down.is_empty() { &[0] } else { &[] };
        bench.show(down);
        let running = bench.start();
        // Spread evenly, in no order: multiples of the golden ratio.
        let fraction = (kill as f64 * 0.618_033_988_749_894_9).fract();
        thread::sleep(pass.mul_f64(fraction));
        assert_ne!(running.kill().code, Some(1));
        bench.check().exits(0);
        let arrived = bench.relay.take_mails();
        let counts = counts(&arrived);
        assert_eq!(counts.len(), RECIPIENTS, "lost");
        let again = arrived.len() - counts.len();
        let most = usize::try_from(connections).unwrap();
        assert!(
            again <= most,
            "{again} repeats over {connections} connections"
        );
        repeats += again;
        mails += counts.len();
    }
    println!(
        "kills {kills}, lost 0, repeats {repeats} of {mails} mails over {connections} connections; a pass takes {} ms",
        pass.as_millis()
    );
}
