//! The month, pass by pass, and what has come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{SignedDuration, Timestamp};
use petanotify::alert::{Alert, Observed};
use petanotify::check::CheckName;
use petanotify::check::capacity::Level;
use petanotify::check::sight::Unseen;
use petanotify::queue::Entry;

use crate::chance::Chance;
use crate::ideal;
use crate::old_service::OldService;
use crate::product::{NEWCOMER, Product, RECIPIENTS, subject};
use crate::reader::{Fault, Reader, Thing, Truth};
use crate::story::{MINUTE, Scene, Story};
use crate::table::{self, Row};
use crate::world::{Change, View, World, node_name, node_of};

/// 2026-11-01, 00:00 UTC.
pub(crate) const BEGIN: Timestamp = Timestamp::constant(1_793_491_200, 0);

/// Within so many further passes after the first that could tell of it, a thing must have been told.
pub(crate) const PASSES_ALLOWED: i64 = 2;

/// What covers a whole host may wait for the word that the node is gone.
const GRACE_PASSES: i64 = 2;

/// The OSDs of a node that is back have their time to follow (`checks.osds.return_grace`).
const RETURN_PASSES: i64 = 10 + GRACE_PASSES;

/// A check that sees nothing may be told of after so many passes (`notify.blind_after`).
const BLIND_PASSES: i64 = 6;

/// What Ceph reports counts in so many passes in a row (`checks.health.hold_passes`).
const HEALTH_PASSES: i64 = 3;

/// So many are printed of each scenario.
const COMPLAINTS: usize = 6;

/// A mail as it arrived.
pub(crate) struct Arrived {
    pub(crate) at: i64,
    pub(crate) to: String,
    pub(crate) alert: Alert,
    /// It is not the first that its mail tells of.
    pub(crate) further: bool,
}

/// All that came of a story.
pub(crate) struct Record {
    /// The seconds of the passes that were carried out, in order.
    pub(crate) passes: Vec<i64>,
    pub(crate) mails: Vec<Arrived>,
    /// What the readers found wrong, at which second and who.
    pub(crate) faults: Vec<(i64, &'static str, Fault)>,
    /// How many mails the old service would have sent to each follower, and when.
    pub(crate) old: Vec<(i64, usize)>,
}

/// Plays a story.
///
/// `osd_passes` is how many passes an OSD may wait because of its node, beside those that everything may.
pub(crate) fn play(story: &Story, osd_passes: i64, chance: &mut Chance) -> Record {
    let mut world = World::new();
    let mut product = Product::new(BEGIN);
    let mut old = OldService::default();
    let mut readers: Vec<(&str, Reader)> = RECIPIENTS
        .iter()
        .chain(&[(NEWCOMER, &CheckName::ALL[..])])
        .map(|(address, checks)| (*address, Reader::new(checks)))
        .collect();
    let mut record = Record {
        passes: Vec::new(),
        mails: Vec::new(),
        faults: Vec::new(),
        old: Vec::new(),
    };
    let mut changes = story.changes.iter().peekable();
    let mut ends: BTreeSet<i64> = story.scenes.iter().map(|scene| scene.end).collect();
    for minute in 0..story.length() / MINUTE {
        // The timer is not exact, and so the cluster is not asked at exactly the same second.
        let now = minute * MINUTE + chance.within(0..=2);
        let mut stepped = false;
        let mut asked = Vec::new();
        while let Some((at, change)) = changes.next_if(|(at, _)| *at <= now) {
            match change {
                Change::Running(false) => old.forget(),
                Change::Clock(_) => stepped = true,
                Change::Admin(admin) => asked.push(*admin),
                _ => {}
            }
            world.change(*at, change);
        }
        if ends.first().is_some_and(|end| *end - MINUTE <= now) {
            assert!(world.is_well(), "each scenario leaves all well");
            ends.pop_first();
        }
        let view = world.view(now, chance);
        let mails = old.pass(&view, world.mail);
        if mails > 0 {
            record.old.push((now, mails));
        }
        let milliseconds = 1000 * (now + world.clock) + chance.within(0..=999);
        let clock = BEGIN + SignedDuration::from_millis(milliseconds);
        let mut truth = truth(&world, &view, osd_passes);
        truth.stepped = stepped;
        truth.clock = clock;
        for (thing, allowed) in &mut truth.down {
            if world.is_quiet(thing, now) {
                *allowed = None;
            }
        }
        for admin in asked {
            product.admin(admin, clock);
        }
        let taken = match world.running {
            true => {
                record.passes.push(now);
                product.pass(clock, view.observed, world.mail)
            }
            false => Vec::new(),
        };
        for (address, reader) in &mut readers {
            let is_his = |entry: &&Entry| {
                entry
                    .to
                    .as_ref()
                    .is_some_and(|to| to.to_string() == *address)
            };
            let own: Vec<&Entry> = taken.iter().filter(is_his).collect();
            truth.mail = world.mail && world.running && product.reaches(address, clock);
            for fault in reader.pass(now, &own, &truth) {
                record.faults.push((now, address, fault));
            }
        }
        for entry in &taken {
            let to = entry.to.as_ref().unwrap();
            let alerts = entry.alerts().enumerate();
            record.mails.extend(alerts.map(|(number, alert)| Arrived {
                at: now,
                to: to.to_string(),
                alert: alert.clone(),
                further: number > 0,
            }));
        }
    }
    record
}

/// What is so, and what of it can be seen.
fn truth(world: &World, view: &View, osd_passes: i64) -> Truth {
    let Observed {
        capacity,
        nodes,
        osds,
        ..
    } = &view.observed;
    let usage = capacity.as_ref().unwrap();
    let figures = |usage: &petanotify::facts::Usage| usage.mgr_available && usage.total_bytes > 0;
    let checks = [
        (CheckName::Capacity, usage.as_ref().is_ok_and(figures)),
        (CheckName::Nodes, nodes.as_ref().unwrap().is_ok()),
        (CheckName::Osds, osds.as_ref().unwrap().is_ok()),
    ];
    let health = osds.as_ref().unwrap().is_ok();
    let health = health.then_some(CheckName::Health);
    let mut down: BTreeMap<Thing, Option<i64>> = world
        .down()
        .map(|thing| {
            let allowed = match &thing {
                Thing::Osd(osd) if osd_passes > GRACE_PASSES || world.is_whole_host(*osd) => {
                    PASSES_ALLOWED + osd_passes
                }
                _ => PASSES_ALLOWED,
            };
            (thing, Some(allowed + 1))
        })
        .collect();
    for level in [Level::Warn, Level::Critical] {
        down.extend(world.is_over(level).map(|told| {
            let allowed = told.then_some(PASSES_ALLOWED + 1);
            (Thing::Storage(level), allowed)
        }));
    }
    let held = Some(PASSES_ALLOWED + HEALTH_PASSES);
    down.extend(world.errors().map(|error| (error, held)));
    let unseen = checks.iter().filter(|(_, seen)| !seen);
    let unseen = unseen.map(|(check, _)| Unseen::Check(*check));
    let leader = (!view.leader).then_some(Unseen::Leader);
    for unseen in unseen.chain(leader) {
        down.insert(Thing::Blind(unseen), Some(BLIND_PASSES + PASSES_ALLOWED));
    }
    let nodes = down.keys().filter_map(|thing| match thing {
        Thing::Osd(osd) => Some((thing.clone(), Thing::Node(node_name(node_of(*osd))))),
        _ => None,
    });
    Truth {
        nodes: nodes.collect(),
        down,
        seen: checks
            .into_iter()
            .filter(|(_, seen)| *seen)
            .map(|(check, _)| check)
            .chain(health)
            .collect(),
        mail: world.mail && world.running,
        stepped: false,
        clock: BEGIN,
    }
}

/// Compares what came of a scenario with what should have.
pub(crate) fn compare(scene: &Scene, record: &Record) -> Row {
    let within = |at: i64| (scene.start..scene.end).contains(&at);
    let mut row = Row::new(scene.scenario);
    let old = record.old.iter().filter(|(at, _)| within(*at));
    row.old = RECIPIENTS.len() * old.map(|(_, mails)| mails).sum::<usize>();
    let passes = |from: i64, to: i64| {
        let first = record.passes.partition_point(|at| *at < from);
        let last = record.passes.partition_point(|at| *at <= to);
        i64::try_from(last).unwrap() - i64::try_from(first).unwrap() - 1
    };
    for (recipient, _) in RECIPIENTS
        .into_iter()
        .chain([(NEWCOMER, &CheckName::ALL[..])])
    {
        let mut open = ideal::of(scene, recipient);
        row.ideal += open.iter().filter(|mail| mail.counts()).count();
        let mails = record.mails.iter();
        for mail in mails.filter(|mail| within(mail.at) && mail.to == recipient) {
            row.mails += usize::from(!mail.further);
            match open.iter().position(|one| one.is(&mail.alert, mail.at)) {
                Some(at) => {
                    let expected = open.remove(at);
                    row.late = row.late.max(passes(expected.until, mail.at));
                }
                None => row.surplus(mail, scene.start),
            }
        }
        for missing in open.iter().filter(|mail| !mail.optional) {
            row.missing(recipient, missing, scene.start);
        }
    }
    for (at, who, fault) in record.faults.iter().filter(|(at, ..)| within(*at)) {
        row.fault(*at - scene.start, who, fault);
    }
    row
}

/// The seed of the month.
fn seed() -> u64 {
    match env::var("PETANOTIFY_MONTH_SEED") {
        Err(_) => 20_261_101,
        Ok(text) => match text.parse().unwrap() {
            0 => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                u64::from(since.subsec_nanos()) + 1
            }
            seed => seed,
        },
    }
}

#[test]
fn a_month_is_told_truly_and_in_few_mails() {
    let seed = seed();
    let mut chance = Chance::new(seed);
    let story = Story::month(&mut chance);
    let record = play(&story, GRACE_PASSES, &mut chance);
    let mut scenes: Vec<&Scene> = story.scenes.iter().collect();
    scenes.sort_by_key(|scene| scene.scenario);
    let rows: Vec<Row> = scenes.iter().map(|scene| compare(scene, &record)).collect();
    println!(
        "PETANOTIFY_MONTH_SEED={seed}: {} passes, {} recipients",
        record.passes.len(),
        RECIPIENTS.len()
    );
    if env::var_os("PETANOTIFY_MONTH_MAILS").is_some() {
        for mail in &record.mails {
            println!("{:>9} {:<18} {}", mail.at, mail.to, subject(&mail.alert));
        }
    }
    print!("{}", table::table(&rows));
    for row in &rows {
        for complaint in row.complaints.iter().take(COMPLAINTS) {
            println!("{complaint}");
        }
        let more = row.complaints.len().saturating_sub(COMPLAINTS);
        if more > 0 {
            println!("... and {more} more");
        }
    }
    assert!(rows.iter().all(|row| row.complaints.is_empty()));
    assert!(rows.iter().all(|row| row.late <= PASSES_ALLOWED));
    let (mails, old) = rows.iter().fold((0, 0), |(mails, old), row| {
        (mails + row.mails, old + row.old)
    });
    assert!(old >= 5 * mails, "{mails} mails instead of {old}");
}

/// Nobody has written down what is ideal here, but what the readers believe must be so.
#[test]
fn whatever_happens_at_once_nobody_is_told_falsely_or_not_at_all() {
    let seed = seed();
    let mut chance = Chance::new(seed);
    let story = Story::tangle(&mut chance);
    let record = play(&story, RETURN_PASSES, &mut chance);
    println!(
        "PETANOTIFY_MONTH_SEED={seed}: {} mails, {} faults",
        record.mails.len(),
        record.faults.len()
    );
    if env::var_os("PETANOTIFY_MONTH_MAILS").is_some() {
        for mail in record
            .mails
            .iter()
            .filter(|mail| mail.to.starts_with("ops"))
        {
            println!("{:>9} {}", mail.at, subject(&mail.alert));
        }
    }
    for (at, who, fault) in record.faults.iter().take(COMPLAINTS) {
        println!("{at}: {who}: {fault:?}");
    }
    assert!(record.faults.is_empty());
}
