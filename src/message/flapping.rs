//! How a mail tells of what flaps. Pure.

use crate::alert::Alert;
use crate::flapping::Flapping;
use crate::incident::{Change, Ending, Item, Kind, OverItem};
use crate::wording;

use super::document::{Line, Tone};
use super::{SUBJECT_NAMES, Text, down_keys, named};

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
    /// `node`, `OSD`
    pub(super) noun: &'a str,
    /// Of one of them.
    pub(super) name: &'a dyn Fn(&K) -> String,
    /// Where these are: ` on node3`; nothing where the name says it.
    pub(super) place: &'a dyn Fn(&[&T]) -> String,
    /// The subjects of a change in which nothing flaps.
    pub(super) down: &'a dyn Fn(&Change<K, T>) -> Vec<String>,
}

/// The subject, in several wordings, the fullest first. What is news comes first.
pub(super) fn subjects<K: Ord + Clone, T: Clone>(
    change: &Change<K, T>,
    kind: Kind,
    names: &Names<'_, K, T>,
) -> Vec<String> {
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
        down.insert(at, format!("down: {}", (names.name)(&item.key)));
    }
    let (first, second) = match plain.new.is_empty() && !flapping.new.is_empty() {
        true => (told, down),
        false => (down, told),
    };
    let both = |first| {
        second
            .iter()
            .map(move |second| format!("{first}; {second}"))
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
    let items = down_items(flapping);
    let what: Vec<&T> = items.iter().map(|item| &item.what).collect();
    let place = (names.place)(&what);
    if let [item] = items.as_slice()
        && let Some(flaps) = item.flaps()
    {
        let name = (names.name)(&item.key);
        let times = wording::went_down(flaps, item.since);
        return match reminds {
            true => vec![
                format!("flapping: {name}{place}, {times}"),
                format!("flapping: {name}{place}"),
                format!("flapping: {name}"),
            ],
            false => vec![
                format!("{name}{place} is flapping: {times}"),
                format!("{name}{place} is flapping"),
                format!("{name} is flapping"),
            ],
        };
    }
    let are = if reminds { "" } else { "are " };
    let head = format!("{} {are}flapping", wording::count(items.len(), names.noun));
    let new: Vec<&K> = flapping.new.iter().map(|item| &item.key).collect();
    let all = named(&down_keys(flapping), |key| (names.name)(key));
    let some_new = !flapping.still.is_empty() && !new.is_empty();
    let new = named(&new, |key| (names.name)(key)).filter(|_| some_new);
    let mut wordings = Vec::new();
    if let Some(all) = all {
        wordings.push(format!("{head}{place}: {all}"));
        wordings.push(format!("{head}: {all}"));
    }
    wordings.extend(new.map(|new| format!("{head}, new: {new}")));
    wordings.push(format!("{head}{place}"));
    wordings.push(head);
    wordings
}

/// The sentence at the head of a mail; `plain` makes that of a change in which nothing flaps.
pub(super) fn sentence<K, T>(
    noun: &str,
    alert: &Alert,
    (plain, flapping): (&Change<K, T>, &Change<K, T>),
    plain_sentence: impl Fn(&Change<K, T>) -> String,
) -> String {
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
        sentences.push(plain_sentence(plain));
    }
    let down = plain.new.iter().chain(&plain.still);
    let flapped = down.filter(|item| item.flapping.is_some()).count();
    if flapped > 0 {
        let (has, it_is) = match flapped {
            1 => ("has", "it is"),
            _ => ("have", "they are"),
        };
        sentences.push(format!(
            "{} {has} flapped before: that this is over is told when {it_is} calm.",
            wording::count(flapped, noun)
        ));
    }
    if told > 0 {
        let (are, they, stay) = match told {
            1 => ("is", "it is", "stays"),
            _ => ("are", "they are", "stay"),
        };
        sentences.push(format!(
            "{} of cluster {} {are} flapping: down and up again and again. No mail tells of each time; the next one comes \
             when {they} calm, or {stay} down.",
            wording::count(told, noun),
            wording::name(&alert.cluster),
        ));
    }
    if !tells_plain && !plain.still.is_empty() {
        sentences.push(format!("Down by now: {}.", plain.still.len()));
    }
    if !flapping.over.is_empty() && alert.kind == Kind::Cleared {
        sentences.push("What flapped has come to rest.".to_owned());
    }
    sentences.join(" ")
}

/// The section about what has begun to flap; `head` is a thing's name and place, padded.
pub(super) fn news<K, T>(
    text: &mut Text<'_>,
    flapping: &Change<K, T>,
    head: impl Fn(&K, &T) -> (String, Option<String>),
) {
    section(text, Tone::New, "Flapping", &flapping.new, head);
}

/// The sections about what still flaps and what is calm again.
pub(super) fn rest<K, T>(
    text: &mut Text<'_>,
    flapping: &Change<K, T>,
    head: impl Fn(&K, &T) -> (String, Option<String>),
) {
    section(text, Tone::Still, "Still flapping", &flapping.still, &head);
    let calm = flapping.over.iter().filter_map(|over| {
        let flaps: &Flapping = over.was.flapping.as_ref()?;
        let times = wording::went_down(flaps, over.was.until);
        let now = format!("calm {}", text.since(over.was.until));
        Some(two_lines(head(&over.key, &over.was.what), &times, &now))
    });
    let lines = cut(calm.collect());
    text.section_on(Tone::Over, "Calm again", lines);
}

fn section<K, T>(
    text: &mut Text<'_>,
    tone: Tone,
    heading: &str,
    items: &[Item<K, T>],
    head: impl Fn(&K, &T) -> (String, Option<String>),
) {
    let told = items.iter().filter_map(|item| {
        let flaps = item.flaps()?;
        let now = match flaps.up_since {
            Some(since) => format!("up {}", text.since(since)),
            None => format!("down {}", text.since(item.since)),
        };
        let times = wording::went_down(flaps, item.since);
        Some(two_lines(head(&item.key, &item.what), &times, &now))
    });
    let lines = cut(told.collect());
    text.section_on(tone, heading, lines);
}

fn two_lines((name, place): (String, Option<String>), times: &str, now: &str) -> [Line; 2] {
    let column = name.chars().count() + 2;
    let place = place.map_or(String::new(), |place| format!("{place}, "));
    [
        Line::Row(format!("{name}  {place}{times}")),
        Line::Below(column, now.to_owned()),
    ]
}

fn cut(things: Vec<[Line; 2]>) -> Vec<Line> {
    let more = things.len().saturating_sub(LISTED);
    let mut lines: Vec<Line> = things.into_iter().take(LISTED).flatten().collect();
    if more > 0 {
        let rest = format!("... and {more} more; all of them: petanotify status --json");
        lines.push(Line::Row(rest));
    }
    lines
}

/// ` on node1, node2`
pub(super) fn places(osds: &[&crate::facts::DownOsd]) -> String {
    wording::places(osds.iter().copied(), SUBJECT_NAMES)
}
