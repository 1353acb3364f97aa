//! Keeping this node's session alive while it speaks: a pass may last longer than Consul waits for a word of it, because Ceph
//! answers late or a mail server is slow.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::words::SESSION_HAS_ENDED;
use crate::consul::{Agent, Failure, SessionId};
use crate::output::Log;
use crate::settings;

/// A session is renewed so often within its time to live: one renewal may fail, and the next one is still in time.
const IN_EACH_TTL: u32 = 3;

/// So long a pass may last and keep the voice. With the default timeouts none takes half as long; one that hangs is to lose it.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Renews a session as long as it exists.
#[derive(Debug)]
pub(super) struct Renewal {
    /// The thread ends when this is gone.
    _alive: Sender<()>,
}

impl Renewal {
    /// Begins to renew `session`, which has just been renewed or created. When it is found to have ended, `is_lost` is set.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn begin(
        consul: settings::Consul,
        session: SessionId,
        ttl: Duration,
        is_lost: Arc<AtomicBool>,
        log: Log,
    ) -> io::Result<Renewal> {
        let (alive, is_alive) = mpsc::channel();
        let every = ttl / IN_EACH_TTL;
        let renew_on = move || {
            for _ in 0..times(every) {
                if is_alive.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                match renew(&consul, &session, &log) {
                    Ok(true) => {}
                    Ok(false) => {
                        log.warning(SESSION_HAS_ENDED);
                        is_lost.store(true, Ordering::Relaxed);
                        return;
                    }
                    // The next one may be in time.
                    Err(error) => log.info(format!("the session is not renewed: {error:#}")),
                }
            }
        };
        thread::Builder::new().spawn(renew_on)?;
        Ok(Renewal { _alive: alive })
    }
}

/// Renews a session once. Whatever the pass has found out of Consul, it may be well again.
fn renew(consul: &settings::Consul, session: &SessionId, log: &Log) -> anyhow::Result<bool> {
    let agent = Agent::new(consul)?;
    agent
        .renew_session(session, log)
        .map_err(Failure::into_error)
}

/// How often a session is renewed in one pass.
fn times(every: Duration) -> u128 {
    LONGEST.as_millis() / every.as_millis().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_that_hangs_loses_the_voice() {
        for (ttl_s, expected) in [(10, 90), (75, 12), (900, 1), (3600, 0)] {
            let every = Duration::from_secs(ttl_s) / IN_EACH_TTL;
            assert_eq!(times(every), expected, "{ttl_s}");
        }
        assert_eq!(times(Duration::ZERO), LONGEST.as_millis());
    }
}
