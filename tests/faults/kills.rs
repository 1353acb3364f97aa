//! Kills petanotify at moments spread evenly over the time it takes, while alerts go on arising. `PETANOTIFY_KILLS` says how
//! often a pass is killed; the variants of it make do with a tenth each.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use petanotify::facts::OsdId;
use petanotify::store::Store;
use serde_json::Value;

use crate::ceph::tree;
use crate::cluster::{Cluster, Run};
use crate::ledger::{Ledger, Note};
use crate::number;
use crate::relay::{Fault, Stage};

/// So many clusters are killed side by side: half of the time a pass waits for its stand-ins.
const CLUSTERS: usize = 4;

/// In the variants.
const FEW: usize = 2;

/// So many mails an alert brings.
const RECIPIENTS: usize = 100;

/// What is down, one after the other: every step is worth one alert.
const STORY: [&[u32]; 9] = [
    &[0],
    &[0, 1],
    &[],
    &[2],
    &[],
    &[1],
    &[1, 3],
    &[0, 1, 3],
    &[],
];

/// What is done to petanotify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plot {
    /// Its passes are killed.
    Passes,
    /// The state folder can't be written to now and then: passes are killed that remember in the second place, and those
    /// that bring home what is there.
    TwoPlaces,
    /// Its passes are asked to end, as systemd does it.
    Asked,
    /// It is killed while it flushes the queue.
    Flush,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    kills: usize,
    /// Runs that were over before they could be killed.
    late: usize,
    /// Kills before the first mail arrived, in the midst of them, and after the last.
    spread: [usize; 3],
    /// Kills while the state folder could not be written to.
    away: usize,
    /// How long it took at most from being asked to end to the end.
    longest: Duration,
    mails: usize,
    repeats: usize,
    lost: Vec<String>,
    /// Whatever else must not be.
    wrong: Vec<String>,
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.kills += other.kills;
        self.late += other.late;
        self.away += other.away;
        self.longest = self.longest.max(other.longest);
        self.mails += other.mails;
        self.repeats += other.repeats;
        self.lost.extend(other.lost);
        self.wrong.extend(other.wrong);
        for (sum, more) in self.spread.iter_mut().zip(other.spread) {
            *sum += more;
        }
    }
}

/// How things stand after a pass.
struct Stock {
    /// Whether the present step of the story is in the state.
    recorded: bool,
    arrived: usize,
    left: usize,
}

/// A cluster whose passes are killed, and what it has told so far.
struct Campaign {
    plot: Plot,
    cluster: Cluster,
    recipients: Vec<String>,
    ledger: Ledger,
    outcome: Outcome,
    /// The step of the story, and how many incidents have begun by then.
    step: usize,
    begun: usize,
    /// The second place's folder, in [`Plot::TwoPlaces`].
    runtime: Option<PathBuf>,
    is_away: bool,
}

impl Campaign {
    fn new(plot: Plot) -> Self {
        let mut cluster = Cluster::new();
        let runtime = (plot == Plot::TwoPlaces).then(|| cluster.folder().join("run"));
        if let Some(runtime) = &runtime {
            fs::create_dir(runtime).unwrap();
            cluster.env("RUNTIME_DIRECTORY", runtime.to_str().unwrap());
            cluster.as_nobody();
            if rustix::process::geteuid().is_root() {
                for folder in [runtime, &cluster.state_folder()] {
                    chown(folder, Some(65534), Some(65534)).unwrap();
                }
            }
        }
        // The story is told over and over within seconds, and each time is to be mailed.
        cluster.set("notify.flapping.enabled", "false");
        let recipients: Vec<String> = (0..RECIPIENTS)
            .map(|number| format!("r{number}@example.org"))
            .collect();
        cluster.recipients(&recipients.iter().map(String::as_str).collect::<Vec<_>>());
        let mut campaign = Self {
            plot,
            runtime,
            is_away: false,
            cluster,
            recipients,
            ledger: Ledger::default(),
            outcome: Outcome::default(),
            step: STORY.len() - 1,
            begun: 0,
        };
        campaign.show();
        campaign
    }

    fn down(&self) -> &'static [u32] {
        STORY[self.step % STORY.len()]
    }

    /// Lets Ceph tell of this step of the story.
    fn show(&mut self) {
        let down = self.down();
        let osd = |id| (id, if down.contains(&id) { "down" } else { "up" });
        // One on each host is up, or those that are down would be taken for the host's.
        let hosts = [[osd(0), osd(1), osd(4)], [osd(2), osd(3), osd(5)]];
        self.cluster
            .ceph
            .osds(tree(&[("node1", &hosts[0]), ("node2", &hosts[1])]));
    }

    fn go_on(&mut self) {
        let was_well = self.down().is_empty();
        self.step += 1;
        self.begun += usize::from(was_well && !self.down().is_empty());
        self.show();
    }

    /// How long a pass takes that raises an alert and mails it to all.
    fn duration(&mut self) -> Duration {
        let mut durations: Vec<Duration> = (0..5)
            .map(|_| {
                self.go_on();
                let begin = Instant::now();
                let run = self.cluster.check();
                let duration = begin.elapsed();
                run.exits(0);
                assert!(self.take_stock(&run).recorded);
                duration
            })
            .collect();
        durations.sort();
        durations[durations.len() / 2]
    }

    /// Lets nobody write to the state folder, or lets its owner again.
    fn protect(&mut self, away: bool) {
        self.is_away = away;
        let folder = self.cluster.state_folder();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for name in self.cluster.state_names() {
            mode(&folder.join(name), if away { 0o400 } else { 0o600 });
        }
        mode(&folder, if away { 0o500 } else { 0o700 });
    }

    /// Brings about what is to be disturbed: what petanotify is to be told to do.
    fn set_up(&mut self, shot: usize) -> &'static [&'static str] {
        match self.plot {
            Plot::Passes | Plot::Asked => &["check"],
            Plot::TwoPlaces => {
                // A few runs in each place, and not the same step of the story each time.
                if shot.is_multiple_of(3) {
                    self.protect(!self.is_away);
                }
                &["check"]
            }
            Plot::Flush => {
                self.go_on();
                let relay = &self.cluster.relay;
                relay.fault(Stage::Greeting, Fault::Drop);
                let run = self.cluster.check();
                run.exits(1);
                assert!(self.take_stock(&run).recorded);
                self.cluster.relay.heal();
                &["queue", "flush"]
            }
        }
    }

    /// Whether it was not over too soon to be hit.
    fn shoot(&mut self, shot: usize, moment: Duration) -> bool {
        let arguments = self.set_up(shot);
        let running = self.cluster.start(arguments);
        thread::sleep(moment);
        let asked = Instant::now();
        let run = match self.plot {
            Plot::Asked => running.terminate(),
            Plot::Passes | Plot::TwoPlaces | Plot::Flush => running.kill(),
        };
        let stock = self.take_stock(&run);
        // Before there is anything to save it ends at once, later in order.
        let is_hit = run.signal.is_some() || run.line_with(&["told to end"]).is_some();
        if is_hit {
            self.outcome.longest = self.outcome.longest.max(asked.elapsed());
            self.outcome.kills += 1;
            self.outcome.away += usize::from(self.is_away);
            let phase = match (stock.arrived, stock.left) {
                (0, _) => 0,
                (_, 1..) => 1,
                (_, 0) => 2,
            };
            self.outcome.spread[phase] += 1;
        } else {
            self.outcome.late += 1;
            let codes: &[i32] = if self.is_away { &[74] } else { &[0] };
            if !codes.contains(&run.code.unwrap_or(-1)) {
                let wrong = format!("exit {:?}: {}", run.code, run.stderr);
                self.outcome.wrong.push(wrong);
            }
        }
        // A step that no pass has written down was never seen, and is to be shown again.
        if stock.recorded && self.plot != Plot::Flush {
            self.go_on();
        }
        is_hit
    }

    /// Notes what a pass has said, what has arrived and what is on disk.
    fn take_stock(&mut self, run: &Run) -> Stock {
        for line in run.stderr.lines() {
            for word in ["panicked", "is broken", "is damaged", "missing", "going on"] {
                if line.contains(word) {
                    self.outcome.wrong.push(line.to_owned());
                }
            }
        }
        let home = self.cluster.state_file();
        let away = self.second_place();
        for file in [Some(&home), away.as_ref()].into_iter().flatten() {
            self.ledger.look_into(file);
        }
        let loaded = Store::new(home, away).read(jiff::Timestamp::now());
        let loaded = loaded.unwrap();
        if !loaded.problems.is_empty() {
            let problems = loaded.problems.join("\n");
            self.outcome.wrong.push(problems);
        }
        let watch = loaded.state.memory.osds;
        let down: BTreeSet<OsdId> = self.down().iter().map(|id| OsdId((*id).into())).collect();
        let recorded = watch.down.keys().copied().collect::<BTreeSet<_>>() == down;
        let open = watch.incident.as_ref().map(|incident| &incident.id);
        let mails = self.cluster.relay.take_mails();
        for mail in &mails {
            let note = Note::of(mail);
            let over = ["up again", "was down", "were down"];
            if over.iter().any(|words| note.subject.contains(words)) && open == Some(&note.incident)
            {
                let subject = &note.subject;
                let wrong = format!("told to be over too early: {subject}");
                self.outcome.wrong.push(wrong);
            }
            self.ledger.receive(note);
        }
        if recorded && let Some(incident) = &watch.incident {
            self.ledger
                .owe(&incident.id, down.iter().map(OsdId::to_string));
        }
        Stock {
            recorded,
            arrived: mails.len(),
            left: loaded.state.queue.len(),
        }
    }

    /// The state file in the second place, if there is one now.
    fn second_place(&self) -> Option<PathBuf> {
        let runtime = self.runtime.as_ref()?;
        let mut files = fs::read_dir(runtime).unwrap().map(|entry| {
            let path = entry.unwrap().path().display().to_string();
            // The list of what was sent stays when the state has come home.
            let (file, _) = path.split_once(".json").unwrap();
            PathBuf::from(format!("{file}.json"))
        });
        files.next()
    }

    /// Nobody disturbs any more, and the story ends: all must be told.
    fn end(mut self) -> Outcome {
        if self.is_away {
            self.protect(false);
        }
        loop {
            let run = self.cluster.check();
            self.take_stock(run.exits(0));
            if self.down().is_empty() {
                break;
            }
            self.go_on();
        }
        let mut outcome = self.outcome;
        outcome.mails = self.ledger.distinct();
        outcome.repeats = self.ledger.repeats();
        outcome.lost = self.ledger.lost(&self.recipients);
        let incidents = self.ledger.incidents().len();
        if incidents != self.begun {
            outcome.wrong.push(format!(
                "{incidents} incidents told of, {} there were",
                self.begun
            ));
        }
        let names = self.cluster.state_names();
        if names
            != [
                "state.json",
                "state.json.bak",
                "state.json.lock",
                "state.json.sent",
            ]
        {
            outcome.wrong.push(format!("left behind: {names:?}"));
        }
        outcome
    }
}

/// Spreads shots evenly over the time that a run takes.
struct Aim {
    duration: Duration,
    shot: usize,
}

impl Aim {
    fn new(duration: Duration) -> Self {
        Self { duration, shot: 0 }
    }

    /// In no order: multiples of the golden ratio. No run takes exactly as long as another: a little further than the end,
    /// so that it is hit as well.
    fn fraction(&self) -> f64 {
        1.1 * (self.shot as f64 * 0.618_033_988_749_894_9).fract()
    }

    fn moment(&self) -> Duration {
        self.duration.mul_f64(self.fraction())
    }

    /// A machine does not stay as busy as it was.
    fn learn(&mut self, was_hit: bool) {
        self.duration = match (was_hit, self.fraction()) {
            (false, ..0.9) => self.duration.mul_f64(0.95),
            (true, 1.0..) => self.duration.mul_f64(1.05),
            _ => self.duration,
        };
        self.shot += 1;
    }
}

fn campaign(plot: Plot, kills: usize) -> (Outcome, Duration) {
    let mut campaign = Campaign::new(plot);
    let mut aim = Aim::new(campaign.duration());
    while campaign.outcome.kills < kills {
        let is_hit = campaign.shoot(aim.shot, aim.moment());
        aim.learn(is_hit);
    }
    (campaign.end(), aim.duration)
}

/// Shares the kills among clusters and asserts what holds for every plot; what came of it in all.
fn carry_out(plot: Plot, kills: usize, clusters: usize) -> Outcome {
    let begin = Instant::now();
    let shares = (0..clusters).map(|cluster| (kills + cluster) / clusters);
    let mut all = Outcome::default();
    let mut passes = Vec::new();
    thread::scope(|scope| {
        let campaigns: Vec<_> = shares
            .map(|share| scope.spawn(move || campaign(plot, share)))
            .collect();
        for campaign in campaigns {
            let (outcome, duration) = campaign.join().unwrap();
            all.add(outcome);
            passes.push(duration.as_millis());
        }
    });
    println!(
        "kills {} ({plot:?}), lost {}, repeats {} of {} mails; before the first mail, between, after the last: {:?}; away \
         {}; {} runs were over too soon; a pass takes {passes:?} ms, {clusters} at a time, {} s in all",
        all.kills,
        all.lost.len(),
        all.repeats,
        all.mails,
        all.spread,
        all.away,
        all.late,
        begin.elapsed().as_secs()
    );
    assert!(all.lost.is_empty(), "lost: {:#?}", all.lost);
    assert!(all.wrong.is_empty(), "wrong: {:#?}", all.wrong);
    assert!(all.repeats <= all.kills, "a kill repeats one mail at most");
    // Else the kills have missed what they are for.
    assert!(
        all.spread.iter().take(2).all(|kills| *kills > 0),
        "{:?}",
        all.spread
    );
    all
}

fn kills() -> usize {
    number("PETANOTIFY_KILLS", 100)
}

#[test]
fn a_kill_at_any_moment_loses_nothing() {
    carry_out(Plot::Passes, kills(), CLUSTERS);
}

#[test]
fn a_kill_while_the_second_place_is_in_use_or_brought_home_loses_nothing() {
    let all = carry_out(Plot::TwoPlaces, kills() / 10, FEW);
    assert!((1..all.kills).contains(&all.away), "{} away", all.away);
}

#[test]
fn whoever_is_asked_to_end_repeats_nothing() {
    let all = carry_out(Plot::Asked, kills() / 10, FEW);
    println!(
        "from SIGTERM to the end: {} ms at most",
        all.longest.as_millis()
    );
    assert_eq!(all.repeats, 0);
}

#[test]
fn a_kill_while_the_queue_is_flushed_loses_nothing() {
    carry_out(Plot::Flush, kills() / 10, FEW);
}

/// Mails are dropped all that were named, or none; the others stay.
#[test]
fn a_kill_while_mails_are_dropped_drops_all_of_them_or_none() {
    let kills = kills() / 10;
    let mut cluster = Cluster::new();
    let recipients: Vec<String> = (0..RECIPIENTS)
        .map(|number| format!("r{number}@example.org"))
        .collect();
    cluster.recipients(&recipients.iter().map(String::as_str).collect::<Vec<_>>());
    cluster.relay.fault(Stage::Greeting, Fault::Drop);
    cluster.ceph.situation("18.2.7", "one-osd-down");
    cluster.check().exits(1);
    let ids = |cluster: &Cluster| -> BTreeSet<String> {
        let id = |mail: &Value| mail["id"].as_str().unwrap().to_owned();
        cluster.queue().iter().map(id).collect()
    };
    let names = cluster.state_names();
    let keep = |name: &String| fs::read(cluster.state_folder().join(name)).unwrap();
    let kept: Vec<(&String, Vec<u8>)> = names.iter().map(|name| (name, keep(name))).collect();
    let before = ids(&cluster);
    let chosen: BTreeSet<String> = before.iter().step_by(2).cloned().collect();
    let left: BTreeSet<String> = before.difference(&chosen).cloned().collect();
    let mut arguments = vec!["queue", "drop"];
    arguments.extend(chosen.iter().map(String::as_str));

    let begin = Instant::now();
    cluster.run(&arguments).exits(0);
    let mut aim = Aim::new(begin.elapsed());
    let (mut done, mut undone, mut late) = (0, 0, 0);
    while done + undone < kills {
        for (name, content) in &kept {
            fs::write(cluster.state_folder().join(name), content).unwrap();
        }
        let running = cluster.start(&arguments);
        thread::sleep(aim.moment());
        let run = running.kill();
        let pending = ids(&cluster);
        if run.signal.is_none() {
            late += 1;
            run.exits(0);
            assert_eq!(pending, left);
        } else if pending == left {
            done += 1;
        } else {
            assert_eq!(pending, before);
            undone += 1;
        }
        aim.learn(run.signal.is_some());
    }
    println!(
        "kills {} (Drop), lost 0; dropped in {done} of them; {late} runs were over too soon; each takes {} us",
        done + undone,
        aim.duration.as_micros()
    );
    cluster.relay.heal();
    let mails = cluster.pass(0);
    assert!(mails.len() == left.len() || mails.len() == before.len());
}
