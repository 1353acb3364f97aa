//! Why Consul did not do what only its leader can do, and how long a leader is waited for.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use anyhow::anyhow;

use super::http::{Answer, Silence};
use super::{Agent, LEADER_HOLD, lacks_leader};

/// Between two questions to an agent that asked a dead server, or asked before a new leader was elected.
const PAUSE: Duration = Duration::from_millis(300);

/// What Consul says when the leader has judged a request and refused it. A server that is not the leader says `rpc error making
/// call` before these as well, as it does where there is no leader.
const JUDGED: [&str; 5] = [
    "invalid session",
    "missing node registration",
    "missing check",
    "in critical state",
    "must be",
];

/// Why Consul did not do what it was asked. Each says what was asked, of whom and what became of it, in Consul's own words.
#[derive(Debug)]
pub enum Failure {
    /// The servers have no leader, or the agent's time was up while it looked for one. What was to be written may have been.
    NoQuorum(anyhow::Error),
    /// Consul has answered that it will not: access control, a value that is too long, a node that it does not know. It would
    /// say the same again.
    Refused(anyhow::Error),
    /// There is no agent that answers.
    Unreachable(anyhow::Error),
}

impl Failure {
    /// The error alone, for whoever treats all of them alike.
    pub fn into_error(self) -> anyhow::Error {
        match self {
            Failure::NoQuorum(error) | Failure::Refused(error) | Failure::Unreachable(error) => {
                error
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::NoQuorum(error) | Failure::Refused(error) | Failure::Unreachable(error)) =
            self;
        write!(f, "{error:#}")
    }
}

/// Whether a request does the same when it is carried out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It does.
    Harmless,
    /// It does not, so it is repeated only if it has not reached a leader.
    IfUnsent,
}

impl Agent {
    /// Asks what only the leader can answer. An election is waited for, since a quorum is not lost by it: as long as an agent
    /// itself waits for a leader. Within one pass that is waited for once.
    pub(super) fn ask_leader(
        &self,
        repeat: Repeat,
        mut ask: impl FnMut() -> Result<Answer, Silence>,
    ) -> Result<Answer, Failure> {
        if self.leaderless.load(Ordering::Relaxed) {
            return Err(Failure::NoQuorum(anyhow!(
                "Consul: not asked, as it had no leader earlier in this pass"
            )));
        }
        self.not_silent().map_err(Failure::Unreachable)?;
        let started = Instant::now();
        loop {
            let answer = match ask() {
                Ok(answer) if is_leaderless(&answer) => answer,
                Ok(answer) => return Ok(answer),
                Err(Silence::Timeout(error)) => {
                    self.leaderless.store(true, Ordering::Relaxed);
                    return Err(Failure::NoQuorum(error));
                }
                Err(Silence::Other(error)) => return Err(Failure::Unreachable(error)),
            };
            let repeatable = repeat == Repeat::Harmless || is_unsent(&answer);
            if !repeatable || started.elapsed() >= LEADER_HOLD.min(self.timeout) {
                self.leaderless.store(true, Ordering::Relaxed);
                return Err(Failure::NoQuorum(answer.refused("")));
            }
            thread::sleep(PAUSE);
        }
    }
}

fn is_leaderless(answer: &Answer) -> bool {
    let words = answer.words().to_ascii_lowercase();
    lacks_leader(answer) && !JUDGED.iter().any(|judged| words.contains(judged))
}

/// Whether the request has certainly not reached a leader.
fn is_unsent(answer: &Answer) -> bool {
    let words = answer.words();
    words.contains("failed to get conn") || words.contains("No cluster leader")
}
