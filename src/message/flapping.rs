//! How a mail tells of what flaps. Pure.

use crate::alert::Alert;
use crate::flapping::Flapping;
use crate::incident::{Change, Ending, Item, Kind, OverItem};
use crate::say;
use crate::wording;
use crate::words::Words;

use super::document::{Line, Tone};
use super::{Text, Things, down_keys, phrases};

/// More than this are not told one by one: each takes two lines.
const LISTED: usize = 20;

/// What is told plainly, and what flaps or is calm again.
pub(super) fn apart<K: Clone, T: Clone>(change: &Change<K, T>) -> (Change<K, T>, Change<K, T>) {
    let items = |items: &[Item<K, T>], flaps: bool| {
        let items = items.iter().filter(|item| item.flaps().is_some() == flaps);
        items.cloned().collect()
    };
    let part = |flaps| Change {
        new: items(&change.new, flaps),
        still: items(&change.still, flaps),
        over: {
            let over = change.over.iter().filter(|over| is_calm(over) == flaps);
            over.cloned().collect()
        },
    };
    (part(false), part(true))
}

fn is_calm<K, T>(over: &OverItem<K, T>) -> bool {
    over.was.flapping.is_some() && over.was.ending == Ending::Recovered
}

/// What things of one kind are called in a subject.
pub(super) struct Names<'a, K, T> {
    pub(super) words: &'a Words,
    pub(super) things: Things,
    /// Of one of them.
    pub(super) name: &'a dyn Fn(&K) -> String,
    /// Where these are: `on node3`; nothing where the name says it.
    pub(super) place: &'a dyn Fn(&[&T]) -> Option<String>,
    /// The subjects of a change in which nothing flaps.
    pub(super) down: &'a dyn Fn(&Change<K, T>) -> Vec<String>,
}

/// The subject, in several wordings, the fullest first. What is news comes first.
pub(super) fn subjects<K: Ord + Clone, T: Clone>(
    change: &Change<K, T>,
    kind: Kind,
    names: &Names<'_, K, T>,
) -> Vec<String> {
    let words = names.words;
    let flaps = |item: &Item<K, T>| item.flaps().is_some();
    if !change.new.iter().chain(&change.still).any(flaps) {
        return (names.down)(change);
    }
    let (plain, flapping) = apart(change);
    let told = those_that_flap(&flapping, kind, names);
    if plain.new.is_empty() && plain.still.is_empty() {
        return told;
    }
    let mut down = (names.down)(&plain);
    if let [item] = down_items(&plain).as_slice() {
        // Shorter than any but the last, which may name nothing.
        let at = down.len().saturating_sub(1);
        let name = (names.name)(&item.key);
        down.insert(at, say!(words, "down-too-title", name = name));
    }
    let (first, second) = match plain.new.is_empty() && !flapping.new.is_empty() {
        true => (told, down),
        false => (down, told),
    };
    let both = |first: &String| {
        let both = |second: &String| say!(words, "title-two", first = first, second = second);
        second.iter().map(both).collect::<Vec<_>>()
    };
    let both = first.iter().flat_map(both);
    both.chain(first.last().cloned()).collect()
}

fn down_items<K, T>(change: &Change<K, T>) -> Vec<&Item<K, T>> {
    change.new.iter().chain(&change.still).collect()
}

fn those_that_flap<K: Ord, T>(
    flapping: &Change<K, T>,
    kind: Kind,
    names: &Names<'_, K, T>,
) -> Vec<String> {
    let reminds = kind == Kind::Reminder;
    let words = names.words;
    let items = down_items(flapping);
    let what: Vec<&T> = items.iter().map(|item| &item.what).collect();
    let place = (names.place)(&what);
    if let [item] = items.as_slice()
        && let Some(flaps) = item.flaps()
    {
        let name = (names.name)(&item.key);
        let there = match place {
            Some(place) => say!(words, "osd-there", osd = &name, place = place),
            None => name.clone(),
        };
        let times = phrases::went_down(words, flaps, item.since);
        return match reminds {
            true => vec![
                say!(
                    words,
                    "flapping-times-reminder-title",
                    name = &there,
                    times = times
                ),
                say!(words, "flapping-reminder-title", name = there),
                say!(words, "flapping-reminder-title", name = name),
            ],
            false => vec![
                say!(words, "flapping-times-title", name = &there, times = times),
                say!(words, "flapping-title", name = there),
                say!(words, "flapping-title", name = name),
            ],
        };
    }
    let number = items.len();
    let head = match (names.things, reminds) {
        (Things::Nodes, false) => say!(words, "nodes-flapping-title", number = number),
        (Things::Nodes, true) => say!(words, "nodes-flapping-reminder-title", number = number),
        (Things::Osds, false) => say!(words, "osds-flapping-title", number = number),
        (Things::Osds, true) => say!(words, "osds-flapping-reminder-title", number = number),
    };
    let there = match place {
        None => head.clone(),
        Some(place) if reminds => say!(
            words,
            "osds-flapping-there-reminder-title",
            number = number,
            place = place
        ),
        Some(place) => say!(
            words,
            "osds-flapping-there-title",
            number = number,
            place = place
        ),
    };
    let new: Vec<&K> = flapping.new.iter().map(|item| &item.key).collect();
    let all = super::names(words, &down_keys(flapping), |key| (names.name)(key));
    let some_new = !flapping.still.is_empty() && !new.is_empty();
    let new = super::names(words, &new, |key| (names.name)(key)).filter(|_| some_new);
    let mut wordings = Vec::new();
    if let Some(all) = all {
        wordings.push(say!(words, "title-names", what = &there, names = &all));
        wordings.push(say!(words, "title-names", what = &head, names = all));
    }
    wordings.extend(new.map(|new| say!(words, "title-new-names", what = &head, names = new)));
    wordings.push(there);
    wordings.push(head);
    wordings
}

/// The sentences at the head of a mail; `plain` makes those of a change in which nothing flaps.
pub(super) fn sentences<K, T>(
    words: &Words,
    things: Things,
    alert: &Alert,
    (plain, flapping): (&Change<K, T>, &Change<K, T>),
    plain_sentences: impl Fn(&Change<K, T>) -> Vec<String>,
) -> Vec<String> {
    let mut sentences = Vec::new();
    let told = match alert.kind {
        Kind::Reminder => flapping.new.len() + flapping.still.len(),
        Kind::Raised | Kind::Updated | Kind::Cleared => flapping.new.len(),
    };
    let tells_plain = match alert.kind {
        Kind::Cleared => true,
        Kind::Reminder => !plain.new.is_empty() || !plain.still.is_empty(),
        Kind::Raised | Kind::Updated => !plain.new.is_empty(),
    };
    if tells_plain {
        sentences.extend(plain_sentences(plain));
    }
    let down = plain.new.iter().chain(&plain.still);
    let flapped = down.filter(|item| item.flapping.is_some()).count();
    if flapped > 0 {
        sentences.push(match things {
            Things::Nodes => say!(words, "nodes-flapped-before-sentence", number = flapped),
            Things::Osds => say!(words, "osds-flapped-before-sentence", number = flapped),
        });
    }
    if told > 0 {
        let cluster = wording::name(&alert.cluster);
        sentences.push(match things {
            Things::Nodes => say!(
                words,
                "nodes-flapping-sentence",
                number = told,
                cluster = cluster
            ),
            Things::Osds => say!(
                words,
                "osds-flapping-sentence",
                number = told,
                cluster = cluster
            ),
        });
    }
    if !tells_plain && !plain.still.is_empty() {
        let number = plain.still.len();
        sentences.push(say!(words, "down-by-now-sentence", number = number));
    }
    if !flapping.over.is_empty() && alert.kind == Kind::Cleared {
        sentences.push(say!(words, "come-to-rest-sentence"));
    }
    sentences
}

/// The section about what has begun to flap; `head` is a thing's name and place, padded.
pub(super) fn news<K, T>(
    text: &mut Text<'_>,
    flapping: &Change<K, T>,
    head: impl Fn(&K, &T) -> (String, Option<String>),
) {
    let heading = say!(text.words, "heading-flapping");
    section(text, Tone::New, &heading, &flapping.new, head);
}

/// The sections about what still flaps and what is calm again.
pub(super) fn rest<K, T>(
    text: &mut Text<'_>,
    flapping: &Change<K, T>,
    head: impl Fn(&K, &T) -> (String, Option<String>),
) {
    let words = text.words;
    let heading = say!(words, "heading-still-flapping");
    section(text, Tone::Still, &heading, &flapping.still, &head);
    let calm = flapping.over.iter().filter_map(|over| {
        let flaps: &Flapping = over.was.flapping.as_ref()?;
        let times = phrases::went_down(words, flaps, over.was.until);
        let since = text.since(over.was.until);
        let now = say!(words, "flapping-calm", since = since);
        Some(two_lines(
            words,
            head(&over.key, &over.was.what),
            times,
            now,
        ))
    });
    let lines = cut(words, calm.collect());
    text.section_on(Tone::Over, &say!(words, "heading-calm"), lines);
}

fn section<K, T>(
    text: &mut Text<'_>,
    tone: Tone,
    heading: &str,
    items: &[Item<K, T>],
    head: impl Fn(&K, &T) -> (String, Option<String>),
) {
    let words = text.words;
    let told = items.iter().filter_map(|item| {
        let flaps = item.flaps()?;
        let now = match flaps.up_since {
            Some(up) => say!(words, "flapping-up", since = text.since(up)),
            None => say!(words, "flapping-down", since = text.since(item.since)),
        };
        let times = phrases::went_down(words, flaps, item.since);
        Some(two_lines(words, head(&item.key, &item.what), times, now))
    });
    let lines = cut(words, told.collect());
    text.section_on(tone, heading, lines);
}

fn two_lines(
    words: &Words,
    (name, place): (String, Option<String>),
    times: String,
    now: String,
) -> [Line; 2] {
    let column = name.chars().count() + 2;
    let told = phrases::clauses(words, place.into_iter().chain([times]));
    [
        Line::Row(format!("{name}  {told}")),
        Line::Below(column, now),
    ]
}

fn cut(words: &Words, things: Vec<[Line; 2]>) -> Vec<Line> {
    let more = things.len().saturating_sub(LISTED);
    let mut lines: Vec<Line> = things.into_iter().take(LISTED).flatten().collect();
    if more > 0 {
        lines.push(Line::Row(say!(
            words,
            "more-listed-by",
            number = more,
            command = "petanotify status --json"
        )));
    }
    lines
}
