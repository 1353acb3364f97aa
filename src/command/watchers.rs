//! Telling those who watch petanotify itself how a pass went: metrics and heartbeat. Neither can fail the pass.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use rustix::fs::OFlags;

use super::deliver::Tally;
use super::{Context, Done, Stop};
use crate::heartbeat::{self, Beat};
use crate::metrics::{self, Carried, Voice};
use crate::replace::publish;
use crate::state::{LastPass, State};

/// Our own file has some 4 kB; of another that has taken its place no more is read.
const PAGE_BYTES: u64 = 64 * 1024;

/// Writes the metrics of a pass if a file for them is set.
pub(super) fn write_metrics(
    context: &Context,
    state: &State,
    pass: &LastPass,
    tally: Tally,
    voice: Voice,
) {
    let Some(path) = &context.settings.metrics.textfile else {
        return;
    };
    let mut carried = Carried::read(&read(path));
    carried.take_up(pass);
    carried.sent = carried.sent.saturating_add(tally.sent as u64);
    carried.failed = carried.failed.saturating_add(tally.failed as u64);
    carried.dropped = carried.dropped.saturating_add(tally.dropped as u64);
    let page = metrics::render(state, pass, &carried, voice);
    if let Err(error) = publish(path, page.as_bytes()) {
        context.log.warning(format!(
            "the metrics are not written to {}: {error:#}; is the folder there, and may this user write to it? (metrics.textfile)",
            path.display()
        ));
    }
}

/// What the pass before has written; nothing where that can't be read.
fn read(path: &Path) -> String {
    let mut page = Vec::new();
    // The folder may belong to somebody else: a pipe in the file's place must not make the pass wait for a writer.
    let open = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    let read = open.and_then(|file| file.take(PAGE_BYTES).read_to_end(&mut page));
    match read {
        Ok(_) => String::from_utf8_lossy(&page).into_owned(),
        Err(_) => String::new(),
    }
}

/// Tells the dead man's switch how a pass ended, if one is set and there is any of the pass's time left. Where another
/// pass was at work, that one tells.
pub(super) fn send_heartbeat(context: &Context, ended: &Result<Done, Stop>, left: Duration) {
    let settings = &context.settings.heartbeat;
    let Some(url) = &settings.url else { return };
    let beat = match ended {
        Ok(Done::Complete) => Beat::Complete,
        Ok(Done::Incomplete) | Err(Stop::State(_) | Stop::Output(_)) if settings.fail => {
            Beat::Failed
        }
        _ => return,
    };
    let timeout = settings.timeout.min(left);
    let sent = if timeout.is_zero() {
        Err(anyhow!("no time is left in this pass"))
    } else {
        heartbeat::beat(url, beat, timeout)
    };
    if let Err(error) = sent {
        context.log.warning(format!(
            "no heartbeat was sent to {}: {error:#}",
            heartbeat::shown(url)
        ));
    }
}
