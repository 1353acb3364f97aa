//! Delivering what is due: takes mails from the queue, sends them in the first way that takes them, writes down at once what
//! became of each.

mod through;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use self::through::{Ended, Outcome, Through, compose};
use super::route::sender;
use super::share::Share;
use super::{Context, Stop};
use crate::alert::Alert;
use crate::fallback::{self, Handover};
use crate::message::{self, Composer};
use crate::output::Progress;
use crate::queue::{Attempt, Entry, Fate, MailId, Queue, Rebuff};
use crate::settings::Relay;
use crate::settings::ways::{Command, Ways};
use crate::smtp::Delivery;
use crate::store::{Lock, SentList};
use crate::test_message::place;
use crate::text::one_line;
use crate::wording;
use crate::words::Words;

/// One pass spends at most so long on mail.
const MAIL_TIME: Duration = Duration::from_secs(50);

/// A pass that is over by then lets the next one start on its minute.
pub(super) const PASS_TIME: Duration = Duration::from_secs(58);

/// However long the checks took, so much is left for mail: else a cluster that answers slowly would never be told of.
const LEAST_MAIL_TIME: Duration = Duration::from_secs(10);

/// A command that is ended in the midst of its work may have delivered all the same, so it is not begun with less time than
/// a healthy one needs.
const LEAST_HANDOVER: Duration = Duration::from_secs(5);

/// How long a pass that has already taken `elapsed` may spend on mail.
pub fn mail_time(elapsed: Duration) -> Duration {
    PASS_TIME
        .saturating_sub(elapsed)
        .clamp(LEAST_MAIL_TIME, MAIL_TIME)
}

/// How long a way out that has taken no mail meanwhile may hold up the others, when `left` is what the pass has for mail and
/// so many ways are still to be tried, this one included: its equal share, so that each of them gets its turn however sick
/// those before it are. Who takes a mail begins anew, with a share of what is left then: a server that is slow but works
/// loses nothing to one that need not step in.
pub(super) fn share(left: Duration, ways_left: u32) -> Duration {
    left / ways_left.max(1)
}

/// How a delivery went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Mails that somebody took over.
    pub sent: usize,
    /// Attempts that failed, one for each mail that was tried in vain.
    pub failed: usize,
    /// Mails given up after the last attempt.
    pub dropped: usize,
    /// There were mails to be sent, and no way out could be used at all.
    pub no_way_out: bool,
}

/// Set when whoever started petanotify wants it to end (SIGTERM, as systemd sends it; SIGINT, from a keyboard).
#[derive(Debug, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// From now on such a signal no longer ends the process at once but lets it come to a safe point. Before there is
    /// anything to save, the end at once is the safe one.
    pub fn watch() -> Self {
        let stopping = Stopping::default();
        for signal in [SIGTERM, SIGINT] {
            let flag = || Arc::clone(&stopping.0);
            // A second one ends the process where it is; what is on disk is safe. Without a handler so does the first.
            let second = flag::register_conditional_default(signal, flag());
            let _ = second.and_then(|_| flag::register(signal, flag()));
        }
        stopping
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tries everything that is due, within `time`, and writes down in the queue what became of each: first at the first server,
/// then what that did not take at the next, and what has waited long enough at the fallback. A mail that was sent is on disk
/// as such before the next one is begun.
///
/// # Errors
/// What was sent can't be written down: going on would repeat every further mail as well.
pub fn deliver(
    context: &Context,
    lock: &Lock,
    queue: &mut Queue,
    ways: &Ways,
    time: Duration,
    stopping: &Stopping,
    share: Option<&Share>,
) -> Result<Tally, Stop> {
    let sent = context.store.sent_list(lock).map_err(Stop::State)?;
    let due = queue.due(context.now);
    let mut pass = Pass {
        context,
        stopping,
        record: Record {
            context,
            share,
            sent: Mutex::new(sent),
        },
        deadline: Instant::now() + time,
        progress: context.log.counting("tried", due.len(), "mail"),
        trials: due.into_iter().map(Trial::new).collect(),
        no_way_out: !ways.relays.is_empty(),
    };
    pass.try_servers(ways)?;
    if let Some(command) = &ways.fallback {
        pass.try_fallback(command)?;
    }
    pass.report_untried();
    let fallback_after = ways.fallback.as_ref().map(|command| command.after);
    let no_way_out = pass.no_way_out && !pass.trials.iter().any(Trial::is_sent);
    let attempts = pass.attempts(fallback_after);
    let mut tally = Tally {
        sent: attempts.values().filter(|a| **a == Attempt::Sent).count(),
        no_way_out,
        ..Tally::default()
    };
    let max_attempts = context.settings.smtp.max_attempts;
    queue.settle(attempts, context.now, max_attempts, |entry, fate| {
        tally.failed += 1;
        tally.dropped += usize::from(fate == Fate::Dropped);
        report_failure(context, entry, fate);
    });
    Ok(tally)
}

/// Where sent mails are written down, by whichever thread has sent them.
struct Record<'a> {
    context: &'a Context,
    /// What the nodes share, where they do.
    share: Option<&'a Share>,
    sent: Mutex<SentList>,
}

impl Record<'_> {
    /// Whether another node speaks by now, and sends what is left.
    fn is_silenced(&self) -> bool {
        self.share.is_some_and(Share::has_lost_the_voice)
    }

    /// The mail is on disk as sent when this returns. `how` is for the log.
    fn sent(&self, entry: &Entry, how: impl fmt::Display) -> Result<(), Stop> {
        let mut list = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let written = list.add(&entry.id);
        drop(list);
        written.map_err(Stop::State)?;
        if let Some(share) = self.share {
            share.note(self.context, &entry.id);
        }
        let log = &self.context.log;
        let attempt = entry.attempts.saturating_add(1);
        log.notice(format_args!(
            "{} {how}; {} attempt={attempt}",
            Mail(entry, &self.context.words),
            Details(&entry.alert)
        ));
        Ok(())
    }
}

/// The attempt of this pass to send a mail.
struct Trial<'a> {
    entry: &'a Entry,
    /// What came of it in each of the ways so far.
    rebuffs: Vec<Rebuff>,
    course: Course,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// To be tried in the next way.
    Open,
    /// Not to be tried again in this pass.
    Over,
    Sent,
}

impl<'a> Trial<'a> {
    fn new(entry: &'a Entry) -> Self {
        Trial {
            entry,
            rebuffs: Vec::new(),
            course: Course::Open,
        }
    }

    fn is_open(&self) -> bool {
        self.course == Course::Open
    }

    fn is_sent(&self) -> bool {
        self.course == Course::Sent
    }

    /// Notes what a server made of it; `None` where it was not asked.
    fn answer(&mut self, delivery: Option<Delivery>, ended: Option<&Ended>) {
        let rebuff = match (delivery, ended) {
            (Some(Delivery::Accepted(_)), _) => {
                self.course = Course::Sent;
                return;
            }
            (Some(Delivery::Refused(words)), _) => Rebuff::Refused(one_line(&words)),
            (Some(Delivery::Deferred(words) | Delivery::RelayDown(words)), _) => {
                Rebuff::Failed(one_line(&words))
            }
            (Some(Delivery::InDoubt(words)), _) => {
                // It has most likely arrived, and the next way would repeat it. But a server that swallows it in every
                // pass must not keep it from all others for ever.
                if self.entry.attempts == 0 {
                    self.course = Course::Over;
                }
                Rebuff::Failed(one_line(&words))
            }
            // Asked once for all of them.
            (None, Some(Ended::Down(words))) => Rebuff::Failed(one_line(words)),
            (None, Some(Ended::TooSlow(_) | Ended::PassOver | Ended::Unrecorded(_)) | None) => {
                return;
            }
        };
        self.rebuffs.push(rebuff);
    }
}

struct Pass<'a> {
    context: &'a Context,
    stopping: &'a Stopping,
    record: Record<'a>,
    /// When there is no more time for mail.
    deadline: Instant,
    /// Of how many mails the pass knows what became of them, for a person who waits for it.
    progress: Progress,
    /// All that is due, in the order in which it is to be tried.
    trials: Vec<Trial<'a>>,
    /// No server that was tried could be used.
    no_way_out: bool,
}

impl<'a> Pass<'a> {
    /// Whether nothing more is to be begun.
    fn is_over(&self) -> bool {
        self.stopping.is_set() || self.record.is_silenced() || Instant::now() >= self.deadline
    }

    fn open(&mut self) -> impl Iterator<Item = &mut Trial<'a>> {
        self.trials.iter_mut().filter(|trial| trial.is_open())
    }

    fn try_servers(&mut self, ways: &Ways) -> Result<(), Stop> {
        let now = self.context.now;
        for (position, relay) in ways.relays.iter().enumerate() {
            let mails: Vec<&Entry> = self.open().map(|trial| trial.entry).collect();
            if mails.is_empty() || self.is_over() {
                return Ok(());
            }
            let may_fall_back =
                |command: &&Command| mails.iter().any(|mail| mail.has_waited(command.after, now));
            let fallback = ways.fallback.as_ref().filter(may_fall_back);
            let others = &ways.relays[position + 1..];
            let ways_left = 1 + others.len() + usize::from(fallback.is_some());
            let through = Through {
                context: self.context,
                stopping: self.stopping,
                record: &self.record,
                progress: &self.progress,
                begun_at: self.trials.len() - mails.len(),
                relay,
                sender: &sender(self.context, relay.from.clone()),
                mails: &mails,
                deadline: self.deadline,
                ways_left: u32::try_from(ways_left).unwrap_or(u32::MAX),
            };
            let Outcome { answers, ended } = through.send_all();
            self.no_way_out &= matches!(ended, Some(Ended::Down(_)));
            for (trial, answer) in self.open().zip(answers) {
                trial.answer(answer, ended.as_ref());
            }
            let next = others.first().map(place).or(fallback.map(fallback::name));
            self.report_end(relay, ended, next)?;
        }
        Ok(())
    }

    /// Says why a server got no further mail where another way takes over; where none does, the mails themselves tell.
    fn report_end(
        &mut self,
        relay: &Relay,
        ended: Option<Ended>,
        next: Option<String>,
    ) -> Result<(), Stop> {
        let why = match ended {
            Some(Ended::Unrecorded(stop)) => return Err(stop),
            Some(Ended::Down(words)) => words,
            Some(Ended::TooSlow(time)) => format!(
                "{}: it has taken no mail for {:.0} s, its share of the time for mail",
                place(relay),
                time.as_secs_f64()
            ),
            Some(Ended::PassOver) | None => return Ok(()),
        };
        let mails = self.open().count();
        if let (Some(next), 1..) = (next, mails) {
            let mails = wording::count(mails, "mail");
            let log = &self.context.log;
            log.warning(format_args!("{why}; trying {mails} through {next}"));
        }
        Ok(())
    }

    fn try_fallback(&mut self, command: &Command) -> Result<(), Stop> {
        let (context, deadline) = (self.context, self.deadline);
        let (record, stopping) = (&self.record, self.stopping);
        let sender = sender(context, command.from.clone());
        let mut composer = Composer::new(&sender);
        let least = LEAST_HANDOVER.min(command.timeout);
        let waited = |trial: &Trial| trial.entry.has_waited(command.after, context.now);
        let mut unusable: Option<String> = None;
        let before = self.trials.iter().filter(|trial| !trial.is_open()).count();
        let open = self.trials.iter_mut().filter(|trial| trial.is_open());
        for (done, trial) in (before..).zip(open.filter(|trial| waited(trial))) {
            self.progress.reached(done);
            let left = deadline.saturating_duration_since(Instant::now());
            if unusable.is_none() && (stopping.is_set() || record.is_silenced() || left < least) {
                break;
            }
            let handover = match (&unusable, compose(trial.entry, &mut composer)) {
                (Some(words), _) => Handover::Failed(words.clone()),
                (None, Ok((_, mail))) => fallback::send(command, &mail, left, &context.log),
                (None, Err(delivery)) => Handover::Failed(delivery.words().to_owned()),
            };
            match handover {
                Handover::Taken => {
                    trial.course = Course::Sent;
                    let how = format_args!("sent through {}", fallback::name(command));
                    record.sent(trial.entry, how)?;
                }
                Handover::Failed(words) => trial.rebuffs.push(Rebuff::Fallback(words)),
                Handover::Unusable(words) => {
                    trial.rebuffs.push(Rebuff::Fallback(words.clone()));
                    unusable = Some(words);
                }
            }
        }
        Ok(())
    }

    fn report_untried(&self) {
        let untried = self
            .trials
            .iter()
            .filter(|t| t.is_open() && t.rebuffs.is_empty());
        let mails = match untried.count() {
            0 => return,
            number => wording::count(number, "mail"),
        };
        let log = &self.context.log;
        if self.stopping.is_set() {
            log.warning(format_args!(
                "told to end, so {mails} must wait for the next pass"
            ));
        } else if Instant::now() + LEAST_HANDOVER > self.deadline {
            log.warning(format_args!("no time is left in this pass for {mails}"));
        }
    }

    fn attempts(self, fallback_after: Option<Duration>) -> HashMap<MailId, Attempt> {
        let now = self.context.now;
        let attempts = self.trials.into_iter().filter_map(|trial| {
            let attempt = match trial.course {
                Course::Sent => Attempt::Sent,
                Course::Open | Course::Over => {
                    let wait = trial.entry.refused_wait(fallback_after, now);
                    Attempt::failed(&trial.rebuffs, wait)?
                }
            };
            Some((trial.entry.id.clone(), attempt))
        });
        attempts.collect()
    }
}

/// Says why mail stays queued, each cause in one line.
pub fn report_left_over(context: &Context, queue: &Queue) {
    for (cause, number) in queue.left_over() {
        let stay = if number == 1 { "stays" } else { "stay" };
        let mails = wording::count(number, "mail");
        context.log.error(format!("{mails} {stay} queued: {cause}"));
    }
}

fn report_failure(context: &Context, entry: &Entry, fate: Fate) {
    let mail = Mail(entry, &context.words);
    let attempt = entry.attempts;
    let words = entry.last_error.as_deref().unwrap_or_default();
    let details = Details(&entry.alert);
    let log = &context.log;
    let failed =
        format_args!("{mail}: attempt {attempt} failed: {words}; {details} attempt={attempt}");
    match fate {
        Fate::Dropped => log.error(format_args!(
            "{mail}: dropped after {attempt} attempts: {words}; {details} attempt={attempt}"
        )),
        Fate::Kept { logged: true } => log.warning(failed),
        Fate::Kept { logged: false } => log.info(failed),
    }
}

/// What a program looks for in a line of the log. It stands at the end, for the words of others may say anything.
pub(super) struct Details<'a>(pub(super) &'a Alert);

impl fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details(alert) = self;
        write!(
            f,
            "check={} incident={}",
            alert.report.topic(),
            alert.incident
        )
    }
}

/// How the log calls a mail. To find the words takes longer than all else that is done for a mail which is not due, so it is
/// left to those lines that are shown.
pub(super) struct Mail<'a>(pub(super) &'a Entry, pub(super) &'a Words);

impl fmt::Display for Mail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mail(entry, words) = self;
        write!(f, "mail {} to ", entry.id)?;
        match &entry.to {
            Some(to) => write!(f, "{to}")?,
            None => f.write_str("nobody yet")?,
        }
        write!(f, ", \"{}\"", message::subject_of(entry, words))
    }
}

#[cfg(test)]
mod tests {
    use super::through::connections_that_pay;
    use super::*;

    #[test]
    fn mail_ends_before_the_next_pass_begins() {
        for (elapsed, time) in [(0, 50), (8, 50), (9, 49), (48, 10), (90, 10)] {
            let elapsed = Duration::from_secs(elapsed);
            assert_eq!(mail_time(elapsed), Duration::from_secs(time), "{elapsed:?}");
        }
    }

    #[test]
    fn each_way_has_its_share_however_sick_those_before_it_are() {
        // So many ways that all hang, and what each gets of 48 s.
        let table: [(u32, &[u64]); 4] = [
            (1, &[48]),
            (2, &[24, 24]),
            (3, &[16, 16, 16]),
            (4, &[12, 12, 12, 12]),
        ];
        for (ways, shares) in table {
            let mut left = Duration::from_secs(48);
            for (position, expected) in (0..).zip(shares) {
                let share = share(left, ways - position);
                assert_eq!(
                    share,
                    Duration::from_secs(*expected),
                    "{position} of {ways}"
                );
                left -= share;
            }
        }
        // One that has taken a mail after 40 s has a share of the rest, and so on.
        assert_eq!(share(Duration::from_secs(8), 2), Duration::from_secs(4));
        assert_eq!(share(Duration::ZERO, 2), Duration::ZERO);
        assert_eq!(share(Duration::from_secs(8), 0), Duration::from_secs(8));
    }

    #[test]
    fn further_connections_are_opened_only_where_they_pay() {
        let ms = |ms: u64| Some(Duration::from_millis(ms));
        for (round_trip, mails, most, connections) in [
            (None, 10_000, 8, 1),
            (ms(4), 10_000, 8, 1),
            (ms(5), 10_000, 8, 8),
            (ms(20), 10_000, 1, 1),
            (ms(20), 0, 2, 1),
            (ms(20), 199, 2, 1),
            (ms(20), 200, 2, 2),
            (ms(20), 299, 8, 2),
            (ms(20), 300, 8, 3),
        ] {
            let found = connections_that_pay(round_trip, mails, most);
            assert_eq!(found, connections, "{round_trip:?} {mails} {most}");
        }
    }
}
