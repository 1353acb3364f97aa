//! Which memory to go on from, where nodes share one and each keeps a copy: nothing is announced twice, and no mail is lost.
//! Pure.
//!
//! Mostly one follows from the other. But a node that spoke while nothing could be published knows what the shared memory
//! does not, and others may have published meanwhile: then the two are merged as changes to one text are. What both have
//! stays; what only one has stays, unless both had it before, for then the other one has done with it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::{CapacityMemory, Memory, Topic};
use crate::check::capacity::Level;
use crate::incident::{Incident, Watch};
use crate::queue::{MailId, Queue};
use crate::shared::{Mark, essence};
use crate::state::State;

/// So many mails are remembered as sent: those of several alerts to a hundred recipients. The list only matters where two
/// nodes have told the same without knowing of each other, and that is found out when they meet again.
const MOST_TOLD: usize = 512;

/// The mails that were sent of late, the latest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Told(Vec<MailId>);

impl Told {
    /// Whether there are none, as on a node that shares nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes up mails as sent.
    pub fn extend<'a>(&mut self, ids: impl IntoIterator<Item = &'a MailId>) {
        let known: HashSet<MailId> = self.0.iter().cloned().collect();
        let new = ids.into_iter().filter(|id| !known.contains(*id)).cloned();
        self.0.extend(new);
        let too_many = self.0.len().saturating_sub(MOST_TOLD);
        self.0.drain(..too_many);
    }

    /// The mails.
    pub fn ids(&self) -> HashSet<MailId> {
        self.0.iter().cloned().collect()
    }
}

/// How a node's state stands to the shared memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lineage {
    /// What it follows from; `None` if nothing had been published yet.
    pub head: Option<Mark>,
    /// When that was published or found, by this node's clock.
    pub since: Timestamp,
    /// What was shared before, while this state knows more than the shared memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Base>,
}

/// What both of two memories know that have parted: as much of it as tells who has done what since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Base {
    /// The mails that were pending.
    pending: BTreeSet<MailId>,
    /// What was told as down, by topic.
    told: BTreeMap<Topic, BTreeSet<String>>,
    /// How full the storage was, as far as that was told.
    level: Level,
    /// The incident about that.
    capacity: Option<String>,
    /// The silences.
    silences: BTreeSet<(u32, Timestamp)>,
}

impl Base {
    /// What there is to know of a state.
    pub fn of(state: &State) -> Self {
        let State { memory, queue, .. } = state;
        Base {
            pending: queue.iter().map(|entry| entry.id.clone()).collect(),
            told: [
                (Topic::Nodes, told(&memory.nodes)),
                (Topic::Osds, told(&memory.osds)),
                (Topic::Health, told(&memory.health)),
                (Topic::Blind, told(&memory.blind)),
            ]
            .into(),
            level: memory.capacity.level,
            capacity: id_of(&memory.capacity),
            silences: silences(memory),
        }
    }
}

fn told<K: fmt::Display, T>(watch: &Watch<K, T>) -> BTreeSet<String> {
    let told = watch.down.iter().filter(|(_, down)| down.announced);
    told.map(|(key, _)| key.to_string()).collect()
}

fn id_of(capacity: &CapacityMemory) -> Option<String> {
    let incident = capacity.incident.as_ref()?;
    Some(incident.id.clone())
}

fn silences(memory: &Memory) -> BTreeSet<(u32, Timestamp)> {
    let silences = memory.silences.iter();
    silences
        .map(|silence| (silence.id, silence.since))
        .collect()
}

/// What to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// The node's own state: it follows from what is shared.
    Own,
    /// What is shared: the node's own state knows nothing more.
    Shared,
    /// Both.
    Both,
}

/// The state to go on from: a node's own one, and the shared memory if there is one. `sent` are mails that are known to have
/// been sent since either was written.
pub fn reunite(
    mut own: State,
    shared: Option<(Mark, State)>,
    sent: &HashSet<MailId>,
    now: Timestamp,
) -> (State, Course) {
    let (origin, saves) = (own.origin, own.saves);
    let lineage = own.lineage.take();
    let known = lineage.as_ref().and_then(|lineage| lineage.head);
    let (mut state, course) = match (shared, lineage) {
        (Some((mark, _)), lineage) if known == Some(mark) => {
            own.lineage = lineage;
            (own, Course::Own)
        }
        (None, lineage) => {
            own.lineage = lineage;
            (own, Course::Own)
        }
        (Some((mark, shared)), Some(Lineage { ahead: None, .. }))
            // Who has never followed a shared memory may know what nobody else does.
            if known.is_some_and(|known| known.saves <= mark.saves) =>
        {
            let lineage = Lineage {
                head: Some(mark),
                since: now,
                ahead: None,
            };
            let state = State {
                lineage: Some(lineage),
                ..shared
            };
            (state, Course::Shared)
        }
        (Some((mark, shared)), lineage) => {
            let base = Base::of(&shared);
            let before = essence(&shared);
            let parted = lineage.and_then(|lineage| lineage.ahead);
            let mut state = match known {
                // Consul has been given back an older memory, and others may have gone on from that.
                Some(known) if known.saves > mark.saves => merge(own, shared, &Base::default()),
                _ => merge(shared, own, &parted.unwrap_or_default()),
            };
            let knows_more = essence(&state) != before;
            state.lineage = Some(Lineage {
                head: Some(mark),
                since: now,
                ahead: knows_more.then_some(base),
            });
            (
                state,
                if knows_more {
                    Course::Both
                } else {
                    Course::Shared
                },
            )
        }
    };
    state.origin = origin;
    state.saves = saves;
    // Also those of which this state knows nothing: what a pass would make of it now may have been told by the one that sent
    // them. Those that are pending come last, so that they are remembered the longest.
    let pending: HashSet<&MailId> = state.queue.iter().map(|entry| &entry.id).collect();
    let mut known: Vec<&MailId> = sent.iter().collect();
    known.sort_unstable_by_key(|id| (pending.contains(id), *id));
    state.told.extend(known);
    state.queue.remove(sent);
    (state, course)
}

/// Merges what two nodes have made of `base`, in doubt as `one` has it.
fn merge(mut one: State, other: State, base: &Base) -> State {
    one.cluster = one.cluster.or(other.cluster);
    one.last_pass = one.last_pass.or(other.last_pass);
    one.told.extend(&other.told.0);
    merge_queues(&mut one.queue, other.queue, &base.pending);
    one.queue.remove(&one.told.ids());
    merge_memories(&mut one.memory, other.memory, base);
    one
}

fn merge_queues(one: &mut Queue, mut other: Queue, base: &BTreeSet<MailId>) {
    let ids = |queue: &Queue| -> HashSet<MailId> { queue.iter().map(|e| e.id.clone()).collect() };
    let (ours, theirs) = (ids(one), ids(&other));
    // What both had before and one has no longer was sent, overtaken or dropped there.
    let done = |mine: &HashSet<MailId>, theirs: &HashSet<MailId>| -> HashSet<MailId> {
        let gone = mine.iter().filter(|id| !theirs.contains(*id));
        gone.filter(|id| base.contains(*id)).cloned().collect()
    };
    one.remove(&done(&ours, &theirs));
    other.remove(&done(&theirs, &ours));
    one.adopt(other);
}

fn merge_memories(one: &mut Memory, other: Memory, base: &Base) {
    if let (Some(names), Some(others)) = (&mut one.names, &other.names)
        && names.memory == others.memory
    {
        for (topic, number) in &others.incidents {
            let known = names.incidents.entry(*topic).or_default();
            *known = (*known).max(*number);
        }
    }
    one.names = one.names.take().or(other.names);
    one.audiences.join(other.audiences);
    let before = |topic| base.told.get(&topic);
    let joined = [
        merge_watches(&mut one.nodes, other.nodes, before(Topic::Nodes)),
        merge_watches(&mut one.osds, other.osds, before(Topic::Osds)),
        merge_watches(&mut one.health, other.health, before(Topic::Health)),
        merge_watches(&mut one.blind, other.blind, before(Topic::Blind)),
    ];
    for (osd, with_node) in other.osds_with_nodes {
        let is_told = |node: &String| one.nodes.down.get(node).is_some_and(|down| down.announced);
        if !one.osds.down.contains_key(&osd) && is_told(&with_node.node) {
            one.osds_with_nodes.entry(osd).or_insert(with_node);
        }
    }
    one.osds_with_nodes
        .retain(|osd, _| !one.osds.down.contains_key(osd));
    // Whoever was told of one of two incidents that are one by now is to hear of its end.
    for (from, into) in joined.into_iter().flatten() {
        one.audiences.fold(&from, &into);
    }
    let untouched =
        (one.capacity.level, id_of(&one.capacity)) == (base.level, base.capacity.clone());
    if untouched && other.capacity.last.is_some() {
        one.capacity = other.capacity;
    }
    let known = silences(one);
    let others: BTreeSet<_> = other.silences.iter().map(|s| (s.id, s.since)).collect();
    let was = |id: u32, since: Timestamp| base.silences.contains(&(id, since));
    // Ended by hand there.
    one.silences
        .retain(|s| others.contains(&(s.id, s.since)) || !was(s.id, s.since));
    for mut silence in other.silences {
        if known.contains(&(silence.id, silence.since)) || was(silence.id, silence.since) {
            continue;
        }
        if one.silences.iter().any(|known| known.id == silence.id) {
            silence.id = crate::silence::next_id(&one.silences);
        }
        if one.silences.len() < crate::silence::MOST {
            one.silences.push(silence);
        }
    }
}

/// Merges what is remembered of things of one kind. Returns the incident that has become part of another one, and that.
fn merge_watches<K, T>(
    one: &mut Watch<K, T>,
    other: Watch<K, T>,
    base: Option<&BTreeSet<String>>,
) -> Option<(String, String)>
where
    K: Ord + Clone + fmt::Display,
{
    let before = |key: &K| base.is_some_and(|base| base.contains(&key.to_string()));
    let told_there = |key: &K| other.down.get(key).is_some_and(|down| down.announced);
    // What both had told before and one no longer has is over there, and that has been told. As long as other things of its
    // incident last it has not: then the next pass finds out.
    for (key, down) in &mut one.down {
        let is_untold = other.over.contains_key(key);
        if down.announced && before(key) && !told_there(key) && !is_untold {
            down.announced = false;
        }
    }
    for (key, down) in other.down {
        if !down.announced || before(&key) {
            continue;
        }
        one.over.remove(&key);
        match one.down.get_mut(&key) {
            Some(known) => known.announced = true,
            None => {
                one.down.insert(key, down);
            }
        }
    }
    if one.down.values().all(|down| !down.announced) {
        one.incident = None;
        one.over.clear();
        one.acknowledged.clear();
        return None;
    }
    for (key, over) in other.over {
        if !one.down.contains_key(&key) {
            one.over.entry(key).or_insert(over);
        }
    }
    match (&mut one.incident, other.incident) {
        (Some(incident), Some(theirs)) if incident.id == theirs.id => {
            one.acknowledged.extend(other.acknowledged);
            follow(incident, theirs);
            None
        }
        (Some(incident), Some(theirs)) => Some((theirs.id, incident.id.clone())),
        (None, theirs) => {
            one.incident = theirs;
            one.acknowledged = other.acknowledged;
            None
        }
        (Some(_), None) => None,
    }
}

/// Takes up what another node has told of the same incident.
fn follow(incident: &mut Incident, theirs: Incident) {
    incident.alerts = incident.alerts.max(theirs.alerts);
    incident.last_alert = incident.last_alert.max(theirs.last_alert);
    incident.reminders = incident.reminders.max(theirs.reminders);
    if incident.ack.is_none() {
        incident.ack = theirs.ack;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::alert::{Alert, Circumstances, Report};
    use crate::facts::Absence;
    use crate::incident::{Change, Down, Ending, Kind, Over};
    use crate::queue::Recovery;
    use crate::settings::Recipient;
    use crate::silence::{Scope, Silence};

    const OPS: &str = "ops@example.org";

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn mail(incident: &str, sequence: u32) -> Queue {
        let alert = Alert {
            cluster: "prod".to_owned(),
            kind: Kind::Raised,
            incident: incident.to_owned(),
            sequence,
            began: now(),
            raised: now(),
            report: Report::Nodes(Change {
                new: Vec::new(),
                still: Vec::new(),
                over: Vec::new(),
            }),
            elsewhere: Vec::new(),
            never_told: false,
            circumstances: Circumstances::default(),
        };
        let mut queue = Queue::default();
        let to = Recipient::of_everything(OPS.parse().unwrap());
        queue.add(alert, &[to], Recovery::Told);
        queue
    }

    fn id(mail: &str) -> MailId {
        let (incident, sequence) = mail.split_once('/').unwrap();
        MailId::new(
            incident,
            sequence.parse().unwrap(),
            Some(&OPS.parse().unwrap()),
        )
    }

    /// A state: the nodes that are down (those not told of with a `~`), those that are up again, the incident about them, the
    /// mails that are pending, those that were sent, and the silences.
    #[derive(Debug, Clone, Copy, Default)]
    struct Sketch<'a> {
        down: &'a str,
        over: &'a str,
        incident: &'a str,
        mails: &'a str,
        sent: &'a str,
        silences: &'a [u32],
    }

    impl Sketch<'_> {
        fn state(self) -> State {
            let mut state = State::default();
            for node in self.down.split_whitespace() {
                let down = Down {
                    since: now(),
                    passes: 1,
                    announced: !node.starts_with('~'),
                    flapping: None,
                    what: Absence::Failed,
                };
                let node = node.trim_start_matches('~').to_owned();
                state.memory.nodes.down.insert(node, down);
            }
            for node in self.over.split_whitespace() {
                let over = Over {
                    since: now(),
                    until: now(),
                    flapping: None,
                    ending: Ending::Recovered,
                    what: Absence::Failed,
                };
                state.memory.nodes.over.insert(node.to_owned(), over);
            }
            if !self.incident.is_empty() {
                let mut incident = Incident::begin("nodes", now());
                incident.id = self.incident.to_owned();
                state.memory.nodes.incident = Some(incident);
            }
            for name in self.mails.split_whitespace() {
                let (incident, sequence) = name.split_once('/').unwrap();
                state.queue.adopt(mail(incident, sequence.parse().unwrap()));
            }
            let sent: Vec<MailId> = self.sent.split_whitespace().map(id).collect();
            state.told.extend(&sent);
            for id in self.silences {
                state.memory.silences.push(Silence {
                    id: *id,
                    scope: Scope::default(),
                    since: now(),
                    until: now(),
                    why: None,
                    by: None,
                });
            }
            state
        }
    }

    /// What is down and told, the incident, and the mails that are pending.
    fn essentials(state: &State, names: &str) -> (String, String, String) {
        let nodes = &state.memory.nodes;
        let told: Vec<String> = told(nodes).into_iter().collect();
        let incident = nodes.incident.as_ref().map(|incident| incident.id.clone());
        let pending: HashSet<MailId> = state.queue.iter().map(|e| e.id.clone()).collect();
        let names = names.split_whitespace();
        let mails: Vec<&str> = names.filter(|name| pending.contains(&id(name))).collect();
        assert_eq!(mails.len(), pending.len(), "{pending:?}");
        (
            told.join(" "),
            incident.unwrap_or_default(),
            mails.join(" "),
        )
    }

    fn mark(saves: u64) -> Mark {
        Mark { saves, checksum: 7 }
    }

    fn follows(mut state: State, saves: u64, ahead: Option<Base>) -> State {
        state.lineage = Some(Lineage {
            head: Some(mark(saves)),
            since: now(),
            ahead,
        });
        state
    }

    #[test]
    fn the_newest_memory_counts_and_what_was_sent_is_not_pending() {
        let own = Sketch {
            down: "node1",
            incident: "a",
            mails: "a/0 a/1",
            ..Sketch::default()
        };
        let shared = Sketch {
            down: "node2",
            incident: "b",
            mails: "b/0 b/1",
            ..Sketch::default()
        };
        let sent = HashSet::from([id("a/1"), id("b/1")]);
        for (known, found, expected, course) in [
            (Some(5), None, "a", Course::Own),
            (Some(5), Some(5), "a", Course::Own),
            (Some(5), Some(6), "b", Course::Shared),
            (Some(5), Some(900), "b", Course::Shared),
        ] {
            let own = follows(own.state(), known.unwrap(), None);
            let shared = found.map(|saves| (mark(saves), shared.state()));
            let (state, taken) = reunite(own, shared, &sent, now());
            let (_, incident, mails) = essentials(&state, "a/0 b/0");
            assert_eq!((incident.as_str(), taken), (expected, course), "{found:?}");
            assert_eq!(mails, format!("{expected}/0"));
            let lineage = state.lineage.unwrap();
            assert_eq!(
                (lineage.head, lineage.ahead),
                (Some(mark(found.unwrap_or(5))), None)
            );
        }
    }

    #[test]
    fn what_was_sent_is_known_as_told_also_where_nobody_has_queued_it() {
        let own = follows(
            Sketch {
                mails: "a/1",
                ..Sketch::default()
            }
            .state(),
            5,
            None,
        );
        let sent = HashSet::from([id("a/1"), id("b/0")]);
        for (found, mails) in [(None, ""), (Some(5), ""), (Some(6), "")] {
            let shared = found.map(|saves| (mark(saves), State::default()));
            let (state, _) = reunite(own.clone(), shared, &sent, now());
            assert_eq!(state.told.ids(), sent, "{found:?}");
            assert_eq!(essentials(&state, "a/1 b/0").2, mails, "{found:?}");
        }
        // So many that not all are remembered: those that are pending here are.
        let mut many: HashSet<MailId> = (0..2 * MOST_TOLD)
            .map(|number| id(&format!("c/{number}")))
            .collect();
        many.insert(id("a/1"));
        let (state, _) = reunite(own, None, &many, now());
        assert_eq!(state.told.ids().len(), MOST_TOLD);
        assert!(state.told.ids().contains(&id("a/1")));
    }

    #[test]
    fn a_node_that_knows_nothing_takes_what_is_shared() {
        let shared = Sketch {
            down: "node2",
            incident: "b",
            mails: "b/0",
            ..Sketch::default()
        };
        let shared = (mark(3), shared.state());
        let fresh = State::beginning(now());
        let (state, course) = reunite(fresh.clone(), Some(shared.clone()), &HashSet::new(), now());
        assert_eq!(course, Course::Shared);
        assert_eq!(
            state.origin, fresh.origin,
            "where it is kept it follows from its own"
        );
        assert_eq!(state.queue, shared.1.queue);
        // It had its own memory from before anything was shared: both count.
        let old = Sketch {
            down: "node1",
            incident: "a",
            mails: "a/0",
            ..Sketch::default()
        };
        let (state, course) = reunite(old.state(), Some(shared), &HashSet::new(), now());
        assert_eq!(course, Course::Both);
        let found = essentials(&state, "a/0 b/0");
        assert_eq!(found, ("node1 node2".into(), "b".into(), "a/0 b/0".into()));
    }

    #[test]
    fn what_a_node_has_queued_before_anything_was_shared_is_not_forgotten() {
        let own = Sketch {
            down: "node1",
            incident: "a",
            mails: "a/0",
            ..Sketch::default()
        };
        let mut own = own.state();
        // It has tried to share it, and was refused.
        own.lineage = Some(Lineage::default());
        let shared = (mark(1), State::beginning(now()));
        let (state, course) = reunite(own, Some(shared), &HashSet::new(), now());
        let (_, incident, mails) = essentials(&state, "a/0");
        assert_eq!((incident.as_str(), mails.as_str()), ("a", "a/0"));
        assert_eq!(course, Course::Both);
        assert!(state.lineage.is_some_and(|lineage| lineage.ahead.is_some()));
    }

    #[test]
    fn two_that_have_parted_announce_nothing_twice_and_lose_nothing() {
        struct Case<'a> {
            what: &'a str,
            base: Sketch<'a>,
            own: Sketch<'a>,
            shared: Sketch<'a>,
            /// What is told as down, in which incident, which mails are pending.
            expected: (&'a str, &'a str, &'a str),
        }
        let quiet = Sketch::default();
        let told = Sketch {
            down: "node1",
            incident: "a",
            ..quiet
        };
        let queued = Sketch {
            mails: "a/0",
            ..told
        };
        let cases = [
            Case {
                what: "what was told without a quorum is not told again, and its mails are sent",
                base: quiet,
                own: Sketch {
                    down: "node1",
                    incident: "a",
                    mails: "a/0",
                    ..quiet
                },
                shared: quiet,
                expected: ("node1", "a", "a/0"),
            },
            Case {
                what: "each half of a partition has told of the other",
                base: quiet,
                own: Sketch {
                    down: "node1",
                    incident: "a",
                    mails: "a/0",
                    ..quiet
                },
                shared: Sketch {
                    down: "node2",
                    incident: "b",
                    mails: "b/0",
                    ..quiet
                },
                expected: ("node1 node2", "b", "a/0 b/0"),
            },
            Case {
                what: "both have told the same, one has sent it",
                base: quiet,
                own: Sketch {
                    down: "node1",
                    incident: "a",
                    mails: "a/0",
                    ..quiet
                },
                shared: Sketch {
                    down: "node1",
                    incident: "a",
                    sent: "a/0",
                    ..quiet
                },
                expected: ("node1", "a", ""),
            },
            Case {
                what: "the same the other way round",
                base: quiet,
                own: Sketch {
                    down: "node1",
                    incident: "a",
                    sent: "a/0",
                    ..quiet
                },
                shared: Sketch {
                    down: "node1",
                    incident: "a",
                    mails: "a/0",
                    ..quiet
                },
                expected: ("node1", "a", ""),
            },
            Case {
                what: "it was seen by the one, and told by the other",
                base: quiet,
                own: told,
                shared: Sketch {
                    down: "~node1",
                    ..quiet
                },
                expected: ("node1", "a", ""),
            },
            Case {
                what: "it is over there, and that was told",
                base: told,
                own: Sketch {
                    down: "node1",
                    incident: "a",
                    sent: "x/0",
                    ..quiet
                },
                shared: quiet,
                expected: ("", "", ""),
            },
            Case {
                what: "it is over here, and that was told",
                base: told,
                own: Sketch {
                    sent: "a/1",
                    ..quiet
                },
                shared: told,
                expected: ("", "", ""),
            },
            Case {
                what: "it is over here, which is not told while something else of the incident lasts",
                base: Sketch {
                    down: "node1 node2",
                    ..told
                },
                own: Sketch {
                    down: "node2",
                    over: "node1",
                    ..told
                },
                shared: Sketch {
                    down: "node1 node2",
                    ..told
                },
                expected: ("node1 node2", "a", ""),
            },
            Case {
                what: "it is over here, and something else is down there",
                base: told,
                own: Sketch {
                    sent: "a/1",
                    ..quiet
                },
                shared: Sketch {
                    down: "node1 node2",
                    incident: "a",
                    ..quiet
                },
                expected: ("node2", "a", ""),
            },
            Case {
                what: "a mail of both was sent or dropped there",
                base: queued,
                own: Sketch {
                    sent: "x/0",
                    ..queued
                },
                shared: told,
                expected: ("node1", "a", ""),
            },
            Case {
                what: "a mail of both was overtaken here",
                base: queued,
                own: Sketch {
                    down: "node1 node2",
                    incident: "a",
                    mails: "a/1",
                    ..quiet
                },
                shared: queued,
                expected: ("node1 node2", "a", "a/1"),
            },
            Case {
                what: "a mail of both that waits still waits",
                base: queued,
                own: Sketch {
                    sent: "x/0",
                    ..queued
                },
                shared: queued,
                expected: ("node1", "a", "a/0"),
            },
        ];
        for case in cases {
            let Case {
                what,
                base,
                own,
                shared,
                expected,
            } = case;
            let own = follows(own.state(), 5, Some(Base::of(&base.state())));
            let shared = (mark(6), shared.state());
            let (state, _) = reunite(own, Some(shared.clone()), &HashSet::new(), now());
            let (told, incident, mails) = essentials(&state, "a/0 a/1 b/0");
            assert_eq!(
                (told.as_str(), incident.as_str(), mails.as_str()),
                expected,
                "{what}"
            );
            // Once more, as after a publication that failed again: nothing changes.
            let (again, _) = reunite(state.clone(), Some(shared), &HashSet::new(), now());
            assert_eq!(again, state, "{what}");
        }
    }

    #[test]
    fn silences_begun_or_ended_on_either_side_are() {
        let silenced = |silences| {
            Sketch {
                silences,
                ..Sketch::default()
            }
            .state()
        };
        let own = follows(silenced(&[1, 3]), 5, Some(Base::of(&silenced(&[1, 2]))));
        let shared = (mark(6), silenced(&[1, 2, 4]));
        let (state, _) = reunite(own, Some(shared), &HashSet::new(), now());
        let ids: Vec<u32> = state.memory.silences.iter().map(|s| s.id).collect();
        assert_eq!(ids, [1, 4, 3]);
    }

    #[test]
    fn a_consul_given_back_an_older_memory_forgets_nothing() {
        let own = Sketch {
            down: "node1",
            incident: "a",
            mails: "a/0",
            ..Sketch::default()
        };
        let own = follows(own.state(), 9, None);
        let older = Sketch {
            mails: "b/0",
            ..Sketch::default()
        };
        let (state, course) = reunite(own, Some((mark(4), older.state())), &HashSet::new(), now());
        let found = essentials(&state, "a/0 b/0");
        assert_eq!(found, ("node1".into(), "a".into(), "a/0 b/0".into()));
        assert_eq!(course, Course::Both);
    }

    #[test]
    fn of_the_mails_that_were_sent_the_latest_are_remembered() {
        let ids: Vec<MailId> = (0..600).map(|n| MailId::new("a", n, None)).collect();
        let mut told = Told::default();
        told.extend(&ids[..400]);
        told.extend(&ids[300..]);
        assert_eq!(told.0, ids[600 - MOST_TOLD..]);
    }
}
