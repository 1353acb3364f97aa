//! How a mail tells why others do not come: what is acknowledged, silenced, or left alone by Ceph. Pure.

use jiff::tz::TimeZone;

use super::checks;
use super::phrases::{list, list_first};
use crate::alert::Maintained;
use crate::facts::Flag;
use crate::incident::Ack;
use crate::say;
use crate::silence::{About, Scope, Silence};
use crate::text::one_line;
use crate::wording::{name, time};
use crate::words::Words;

/// So many silences are listed.
const SILENCES: usize = 10;

/// So many of Ceph's health checks are named.
const MUTES: usize = 5;

/// `2026-11-23 02:31 UTC by ann: disk ordered`
pub(super) fn acknowledged(words: &Words, ack: &Ack, zone: &TimeZone) -> String {
    let mut told = time(ack.at, zone);
    if let Some(by) = &ack.by {
        told = say!(words, "acknowledged-by", time = told, name = name(by));
    }
    if let Some(why) = &ack.why {
        let why = one_line(why);
        told = say!(words, "acknowledged-why", acknowledged = told, why = why);
    }
    told
}

/// A line for each of the first ones, and how to see the others.
pub(super) fn silences(words: &Words, silences: &[Silence], zone: &TimeZone) -> Vec<String> {
    let told = silences.iter().take(SILENCES);
    let told = told.map(|one| silence(words, one, zone));
    let more = silences.len().saturating_sub(SILENCES);
    let more = (more > 0).then(|| {
        say!(
            words,
            "more-listed-by",
            number = more,
            command = "petanotify silence list"
        )
    });
    told.chain(more).collect()
}

/// `until 2026-11-23 14:00 UTC: osd.4 (disk swap)`
fn silence(words: &Words, silence: &Silence, zone: &TimeZone) -> String {
    let until = time(silence.until, zone);
    let what = scope(words, &silence.scope);
    let told = say!(words, "silenced-until", time = until, what = what);
    match &silence.why {
        Some(why) => say!(words, "silenced-why", silenced = told, why = one_line(why)),
        None => told,
    }
}

fn scope(words: &Words, scope: &Scope) -> String {
    let about = scope.about();
    let parts = about.iter().map(|about| match about {
        About::Everything => say!(words, "silenced-everything"),
        About::Check(check) => checks::name(words, *check),
        About::Node(node) => name(node),
        About::NodeAndOsds(node) => {
            say!(words, "silenced-node-and-osds", node = name(node))
        }
        About::OsdsOf(node) => say!(words, "silenced-osds-of-node", node = name(node)),
        About::Osds(range) => range.to_string(),
    });
    let parts: Vec<String> = parts.collect();
    list(words, &parts)
}

/// What the admins have told Ceph to leave alone, a line each.
pub(super) fn maintenance(words: &Words, maintained: &Maintained, zone: &TimeZone) -> Vec<String> {
    let what = &maintained.what;
    let flags = what.flags.iter().map(|flag| {
        let effect = effect(words, *flag);
        match (flag, maintained.noout_since) {
            (Flag::Noout, Some(since)) => say!(
                words,
                "flag-set-since",
                flag = flag.as_str(),
                time = time(since, zone),
                effect = effect
            ),
            _ => say!(words, "flag-set", flag = flag.as_str(), effect = effect),
        }
    });
    let flagged =
        (what.flagged > 0).then(|| say!(words, "flags-of-their-own", number = what.flagged));
    let mutes = (!what.mutes.is_empty()).then(|| {
        let names = list_first(words, what.mutes.iter().map(|code| name(code)), MUTES);
        say!(words, "muted-health", names = names)
    });
    flags.chain(flagged).chain(mutes).collect()
}

/// What a flag does.
fn effect(words: &Words, flag: Flag) -> String {
    match flag {
        Flag::Noout => say!(words, "effect-noout"),
        Flag::Nodown => say!(words, "effect-nodown"),
        Flag::Noup => say!(words, "effect-noup"),
        Flag::Noin => say!(words, "effect-noin"),
        Flag::Norebalance => say!(words, "effect-norebalance"),
        Flag::Nobackfill => say!(words, "effect-nobackfill"),
        Flag::Norecover => say!(words, "effect-norecover"),
        Flag::Pauserd => say!(words, "effect-pauserd"),
        Flag::Pausewr => say!(words, "effect-pausewr"),
    }
}
