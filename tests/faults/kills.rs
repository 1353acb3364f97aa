//! Kills a pass at moments spread evenly over the time it takes, while alerts go on arising.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use petanotify::facts::OsdId;
use petanotify::store::Store;

use crate::ceph::tree;
use crate::cluster::{Cluster, Run};
use crate::ledger::{Ledger, Note};
use crate::number;

/// So many clusters are killed side by side.
const CLUSTERS: usize = 2;

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

/// What came of it.
#[derive(Default)]
struct Outcome {
    kills: usize,
    /// Passes that were over before they could be killed.
    late: usize,
    /// Kills before the first mail arrived, in the midst of them, and after the last.
    spread: [usize; 3],
    /// Passes that went on from the backup, since the state was just being replaced.
    from_backup: usize,
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
        self.from_backup += other.from_backup;
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
    cluster: Cluster,
    recipients: Vec<String>,
    ledger: Ledger,
    outcome: Outcome,
    /// The step of the story, and how many incidents have begun by then.
    step: usize,
    begun: usize,
}

impl Campaign {
    fn new() -> Self {
        let mut cluster = Cluster::new();
        let recipients: Vec<String> = (0..RECIPIENTS)
            .map(|number| format!("r{number}@example.org"))
            .collect();
        cluster.recipients(&recipients.iter().map(String::as_str).collect::<Vec<_>>());
        let mut campaign = Self {
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
        let hosts = [[osd(0), osd(1)], [osd(2), osd(3)]];
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

    fn shoot(&mut self, moment: Duration) {
        let running = self.cluster.start(&["check"]);
        thread::sleep(moment);
        let run = running.kill();
        let stock = self.take_stock(&run);
        if run.signal.is_some() {
            self.outcome.kills += 1;
            let phase = match (stock.arrived, stock.left) {
                (0, _) => 0,
                (_, 1..) => 1,
                (_, 0) => 2,
            };
            self.outcome.spread[phase] += 1;
        } else {
            self.outcome.late += 1;
        }
        // A step that no pass has written down was never seen, and is to be shown again.
        if stock.recorded {
            self.go_on();
        }
    }

    /// Notes what a pass has said, what has arrived and what is on disk.
    fn take_stock(&mut self, run: &Run) -> Stock {
        for line in run.stderr.lines() {
            self.outcome.from_backup += usize::from(line.contains("going on from the backup"));
            for word in [
                "panicked",
                "is broken",
                "is damaged",
                "going on from nothing",
            ] {
                if line.contains(word) {
                    self.outcome.wrong.push(line.to_owned());
                }
            }
        }
        self.ledger.look_into(&self.cluster);
        let loaded = Store::new(self.cluster.state_file(), None)
            .read(jiff::Timestamp::now())
            .unwrap();
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

    /// Nobody disturbs any more, and the story ends: all must be told.
    fn end(mut self) -> Outcome {
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

/// Spreads any number of shots evenly over 0 to 1, in no order: multiples of the golden ratio.
fn fraction(shot: usize) -> f64 {
    (shot as f64 * 0.618_033_988_749_894_9).fract()
}

fn carry_out(kills: usize) -> (Outcome, Duration) {
    let mut campaign = Campaign::new();
    let duration = campaign.duration();
    let mut shot = 0;
    while campaign.outcome.kills < kills {
        // No pass takes exactly as long as another: a little further, so that the end is hit as well.
        campaign.shoot(duration.mul_f64(1.1 * fraction(shot)));
        shot += 1;
    }
    (campaign.end(), duration)
}

#[test]
fn a_kill_at_any_moment_loses_nothing() {
    let kills = number("PETANOTIFY_KILLS", 100);
    let shares = (0..CLUSTERS).map(|cluster| (kills + cluster) / CLUSTERS);
    let mut all = Outcome::default();
    let mut passes = Vec::new();
    thread::scope(|scope| {
        let campaigns: Vec<_> = shares
            .map(|share| scope.spawn(move || carry_out(share)))
            .collect();
        for campaign in campaigns {
            let (outcome, duration) = campaign.join().unwrap();
            all.add(outcome);
            passes.push(duration.as_millis());
        }
    });
    println!(
        "kills {}, lost {}, repeats {} (of {} mails; a pass takes {passes:?} ms; kills before the first mail, between, \
         after the last: {:?}; {} more passes were over too soon; {} went on from the backup)",
        all.kills,
        all.lost.len(),
        all.repeats,
        all.mails,
        all.spread,
        all.late,
        all.from_backup
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
}
