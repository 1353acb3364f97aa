//! What must hold whatever the input is: shared by the fuzz targets. A violation panics, which is what libFuzzer reports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::Address;
use lettre::message::Mailbox;
use petanotify::alert::{Alert, Circumstances, Observed, Present, Report, Rules, judge_pass};
use petanotify::check::health::Scope;
use petanotify::facts::{
    Absence, DownOsd, Health, HealthCheck, HealthSeverity, Membership, OsdId, OsdTree, Presence,
    Usage,
};
use petanotify::incident::{Change, Ending, Kind, Over, OverItem};
use petanotify::late::bring_up_to_date;
use petanotify::message::{self, Sender};
use petanotify::metrics::{self, Carried, Voice};
use petanotify::queue::{Entry, Queue, Recovery};
use petanotify::settings::{Checks, HealthRules, Hold, Notify, Recipient};
use petanotify::state::{self, LastPass, State};
use petanotify::words::{Language, Words};

/// A file system in memory, so that a sync costs nothing.
pub const MEMORY: &str = "/dev/shm";

/// The beginning of the passes that are judged here.
pub fn now() -> Timestamp {
    Timestamp::from_second(1_795_402_440).expect("a time of 2026")
}

/// So many minutes later.
pub fn minutes_later(minutes: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + minutes * 60).expect("a time of this century")
}

/// Somebody who is told everything.
pub fn recipient() -> Recipient {
    Recipient::of_everything("ops@example.org".parse().expect("an address"))
}

static WORDS: LazyLock<Arc<Words>> = LazyLock::new(|| Arc::new(Words::of(Language::English)));

/// Who sends in these passes.
pub fn sender(from: Mailbox) -> Sender {
    Sender {
        from,
        zone: TimeZone::UTC,
        node: "node1".to_owned(),
        html: true,
        words: Arc::clone(&WORDS),
        now: minutes_later(30),
    }
}

/// The sender where the input names none.
pub fn any_sender() -> Sender {
    sender("PetaSAN <storage@example.org>".parse().expect("a mailbox"))
}

/// All checks, with the usual limits.
pub fn checks() -> Checks {
    Checks {
        osds: Some(Hold {
            passes: 2,
            ..Hold::default()
        }),
        health: Some(HealthRules {
            scope: Scope {
                level: HealthSeverity::Warning,
                ignore: BTreeSet::new(),
            },
            hold: Hold::default(),
        }),
        ..Checks::default()
    }
}

/// Goes on from a state as a pass does, the sending left out: judges what was seen, composes the mail of everything that
/// is pending, and saves.
pub fn pass(mut state: State, observed: Observed, now: Timestamp) -> State {
    let checks = checks();
    let notify = Notify {
        remind_every: Some(Duration::from_secs(3600)),
        blind_after: Duration::from_secs(60),
        ..Notify::default()
    };
    let rules = Rules {
        checks: &checks,
        notify: &notify,
        nodes_prefix: "PetaSAN/Nodes/",
        cluster: state.cluster.as_deref().unwrap_or("prod"),
    };
    let verdict = judge_pass(state.memory, observed, rules, now);
    let topics: BTreeSet<_> = verdict.alerts.iter().map(|a| a.report.topic()).collect();
    assert_eq!(
        topics.len(),
        verdict.alerts.len(),
        "two alerts of one topic"
    );
    for outcome in verdict.memory.outcomes.values() {
        assert_one_line(&outcome.summary);
    }
    state.memory = verdict.memory;
    for alert in verdict.alerts {
        state.queue.add(alert, &[recipient()], Recovery::Told);
    }
    let present = Present {
        around: &verdict.around,
        rules,
        now,
    };
    bring_up_to_date(&state.memory, &mut state.queue, present);
    state.last_pass = Some(LastPass {
        started: now,
        duration_ms: 700,
        complete: state.queue.is_empty(),
    });
    for entry in &state.queue {
        check_entry(entry, &any_sender());
    }
    check_metrics(&state);
    assert_survives(&state);
    state
}

/// Every sample is a number, and what goes on from pass to pass is read back.
fn check_metrics(state: &State) {
    let carried = Carried {
        sent: 7,
        ..Carried::default()
    };
    let pass = state
        .last_pass
        .as_ref()
        .expect("the pass that was just made");
    for voice in [Voice::Alone, Voice::Speaker, Voice::Silent] {
        let page = metrics::render(state, pass, &carried, voice);
        assert_eq!(Carried::read(&page), carried);
        for line in page.lines().filter(|line| !line.starts_with("# ")) {
            let value = line.rsplit_once(' ').map(|(_, value)| value.parse::<f64>());
            assert!(matches!(value, Some(Ok(_))), "{line}");
        }
    }
}

/// Ceph and Consul do not answer.
pub fn nothing_seen() -> Observed {
    let cause = || "timed out".to_owned();
    Observed {
        capacity: Some(Err(cause())),
        nodes: Some(Err(cause())),
        osds: Some(Err(cause())),
        health: Some(Err(cause())),
        ..Observed::default()
    }
}

/// All that the state remembers as down is up.
pub fn all_up(state: &State) -> Observed {
    let mut nodes: BTreeMap<String, Presence> = BTreeMap::new();
    for name in state.memory.nodes.down.keys() {
        nodes.insert(name.clone(), Presence::Alive);
    }
    nodes.insert("node1".to_owned(), Presence::Alive);
    let tree = OsdTree {
        up: state.memory.osds.down.keys().copied().collect(),
        down: BTreeMap::new(),
        hosts: BTreeMap::new(),
    };
    observed(1, nodes, tree, Health::default())
}

/// Something new is down beside all that is remembered, and the storage is nearly full.
pub fn more_down(state: &State) -> Observed {
    let gone = Presence::Down(Absence::Failed);
    let mut nodes = BTreeMap::from([("node1".to_owned(), Presence::Alive)]);
    for name in state.memory.nodes.down.keys() {
        nodes.insert(name.clone(), gone);
    }
    nodes.insert(format!("node{}", nodes.len() + 1), gone);
    let mut down: BTreeMap<OsdId, DownOsd> = BTreeMap::new();
    for (id, was) in &state.memory.osds.down {
        down.insert(*id, was.what.clone());
    }
    let number = down.len();
    let osd = DownOsd {
        host: (number != 1).then(|| format!("node{number}")),
        status: "down".to_owned(),
        out: number == 0,
        stray: number == 1,
    };
    down.insert(OsdId(number as i64), osd);
    let up = BTreeSet::new();
    let mut health = Health::default();
    for (code, was) in &state.memory.health.down {
        health.checks.insert(code.clone(), was.what.clone());
    }
    let check = HealthCheck {
        severity: HealthSeverity::Error,
        summary: "something".to_owned(),
    };
    health
        .checks
        .insert(format!("ERROR_{}", health.checks.len()), check);
    observed(
        99,
        nodes,
        OsdTree {
            up,
            down,
            hosts: BTreeMap::new(),
        },
        health,
    )
}

fn observed(
    used_bytes: u64,
    nodes: BTreeMap<String, Presence>,
    tree: OsdTree,
    health: Health,
) -> Observed {
    Observed {
        capacity: Some(Ok(Usage {
            used_bytes,
            total_bytes: 100,
            mgr_available: true,
        })),
        nodes: Some(Ok(Membership {
            nodes,
            unreadable: BTreeMap::new(),
            leaderless: None,
        })),
        osds: Some(Ok(tree)),
        health: Some(Ok(health)),
        ..Observed::default()
    }
}

/// Saving and loading changes nothing.
pub fn assert_survives(state: &State) {
    let text = state::render(state).expect("every state can be written");
    let read = state::parse(&text).expect("what was written can be read");
    assert_eq!(&read, state, "saving and loading changed the state");
}

/// The mail of an entry can be composed, and nothing in it breaks out of its place.
pub fn check_entry(entry: &Entry, sender: &Sender) {
    assert_one_line(&message::subject(&entry.alert, &sender.words));
    let to = match &entry.to {
        Some(to) => to.clone(),
        None => recipient().address,
    };
    let mail =
        message::compose(entry, &to, sender).expect("the mail of every alert can be composed");
    let is_ascii = to.user().is_ascii() && sender.from.email.user().is_ascii();
    check_mail(&mail, is_ascii);
}

/// No control characters, so no line of a log or of a header can be forged.
pub fn assert_one_line(text: &str) {
    assert!(
        !text.chars().any(char::is_control),
        "not one line: {text:?}"
    );
}

/// Lines end in CR LF and no CR or LF stands alone (RFC 5321, section 2.3.8); the header holds the fields that every mail of
/// ours has, each once, and is ASCII if the addresses are: else they stand there as they are (RFC 6532, section 3.2).
pub fn check_mail(mail: &[u8], is_ascii: bool) {
    for (at, byte) in mail.iter().enumerate() {
        match byte {
            b'\r' => assert_eq!(mail.get(at + 1), Some(&b'\n'), "a bare CR at {at}"),
            b'\n' => assert!(at > 0 && mail[at - 1] == b'\r', "a bare LF at {at}"),
            _ => {}
        }
    }
    let header = header(mail);
    assert!(!is_ascii || header.is_ascii(), "the header is not ASCII");
    let names = header_names(header);
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "a field twice: {names:?}");
    for name in &names {
        assert!(our_fields().contains(name), "a strange field: {name}");
    }
    for line in mail.split(|byte| *byte == b'\n') {
        // RFC 5321, section 4.5.3.1.6, without the line's end.
        assert!(line.len() <= 999, "a line of {} bytes", line.len());
    }
}

fn header(mail: &[u8]) -> &[u8] {
    let end = mail.windows(4).position(|four| four == b"\r\n\r\n");
    &mail[..end.expect("an empty line ends the header")]
}

fn header_names(header: &[u8]) -> Vec<String> {
    let header = String::from_utf8_lossy(header);
    let fields = header
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']));
    fields
        .map(|line| {
            let (name, _) = line.split_once(": ").expect("every field has a name");
            name.to_ascii_lowercase()
        })
        .collect()
}

/// The end of an incident, not its first alert.
pub fn usual_alert() -> Alert {
    Alert {
        cluster: "prod".to_owned(),
        kind: Kind::Cleared,
        incident: "nodes-20261123T025400.000Z".to_owned(),
        sequence: 1,
        began: now(),
        raised: now(),
        report: Report::Nodes(Change {
            new: Vec::new(),
            still: Vec::new(),
            over: vec![OverItem {
                key: "node5".to_owned(),
                was: Over {
                    since: now(),
                    until: now(),
                    flapping: None,
                    ending: Ending::Recovered,
                    what: Absence::Failed,
                },
            }],
        }),
        elsewhere: Vec::new(),
        never_told: true,
        circumstances: Circumstances::default(),
    }
}

/// A mail that waits for this recipient.
pub fn usual_entry(to: Address) -> Entry {
    let mut queue = Queue::default();
    let recipient = Recipient {
        address: to,
        ..recipient()
    };
    queue.add(usual_alert(), &[recipient], Recovery::Told);
    let entry = queue.iter().next().expect("the mail that was just added");
    entry.clone()
}

/// The fields of a mail that has all of ours.
fn our_fields() -> &'static BTreeSet<String> {
    static FIELDS: OnceLock<BTreeSet<String>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let to = recipient().address;
        let entry = usual_entry(to.clone());
        let mail = message::compose(&entry, &to, &any_sender()).expect("a usual mail");
        let urgent = ["x-priority", "importance"].map(str::to_owned);
        header_names(header(&mail))
            .into_iter()
            .chain(urgent)
            .collect()
    })
}
