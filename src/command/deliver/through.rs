//! One mail server in one pass: hands it the mails over one connection or several, each in a thread of its own.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lettre::Address;

use super::{Record, Stopping, share};
use crate::command::{Context, Stop};
use crate::message::{Composer, Sender};
use crate::output::Progress;
use crate::queue::Entry;
use crate::settings::Relay;
use crate::smtp::{Delivery, Outgoing, Session};
use crate::test_message::place;

/// From this round trip on a server is so far away that most of a connection's time is spent waiting for it. On the same
/// site it is a tenth of that, and there a second connection wins nothing.
const FAR: Duration = Duration::from_millis(5);

/// So many mails make a further connection worth its greeting, TLS and login, some ten round trips. So ordinary numbers use
/// one, and a crash repeats one mail at most.
const MAILS_PER_CONNECTION: usize = 100;

/// How many connections to open in all, of at most `most`.
pub(super) fn connections_that_pay(round_trip: Option<Duration>, mails: usize, most: u32) -> usize {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    match round_trip {
        Some(time) if time >= FAR => (mails / MAILS_PER_CONNECTION).min(most).max(1),
        _ => 1,
    }
}

/// What the server made of the mails.
pub(super) struct Outcome {
    /// In the order of the mails; `None` where a mail was not tried.
    pub(super) answers: Vec<Option<Delivery>>,
    /// Why some were not; `None` where all were.
    pub(super) ended: Option<Ended>,
}

/// Why the server gets no further mail in this pass.
#[derive(Debug)]
pub(super) enum Ended {
    /// It can't be used now, for this reason.
    Down(String),
    /// It has taken no mail in its share of the time.
    TooSlow(Duration),
    /// There is no time left for any mail, or petanotify was told to end.
    PassOver,
    /// What it took can't be written down.
    Unrecorded(Stop),
}

/// What all connections need.
pub(super) struct Through<'a> {
    pub(super) context: &'a Context,
    pub(super) stopping: &'a Stopping,
    pub(super) record: &'a Record<'a>,
    pub(super) progress: &'a Progress,
    /// How many mails were through with before these.
    pub(super) begun_at: usize,
    pub(super) relay: &'a Relay,
    pub(super) sender: &'a Sender,
    pub(super) mails: &'a [&'a Entry],
    /// When the pass has no more time for mail.
    pub(super) deadline: Instant,
    /// This one and those after it.
    pub(super) ways_left: u32,
}

/// How it goes.
struct Course {
    waiting: VecDeque<usize>,
    answers: Vec<Option<Delivery>>,
    answered: usize,
    /// Since when the server has taken no mail.
    since: Instant,
    /// When it must have taken another one.
    until: Instant,
    ended: Option<Ended>,
}

/// A mail, by its place in the list, that is ready to be sent, or why it can't be.
struct Ready<'a> {
    place: usize,
    text: Result<(&'a Address, Vec<u8>), Delivery>,
}

/// Whether a connection is the first to the server, or one that was opened because it should pay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    First,
    Further,
}

impl Through<'_> {
    /// Hands over as many of the mails as it can.
    pub(super) fn send_all(&self) -> Outcome {
        let now = Instant::now();
        let course = Mutex::new(Course {
            waiting: (0..self.mails.len()).collect(),
            answers: vec![None; self.mails.len()],
            answered: 0,
            since: now,
            until: self.until(now),
            ended: None,
        });
        let mut session = self.session();
        // What a further connection gives back may come after the first has found nothing left to do.
        while !lock(&course).waiting.is_empty() && lock(&course).ended.is_none() {
            self.send_side_by_side(&mut session, &course);
        }
        session.close();
        let Course { answers, ended, .. } =
            course.into_inner().unwrap_or_else(PoisonError::into_inner);
        Outcome { answers, ended }
    }

    fn send_side_by_side(&self, session: &mut Session, course: &Mutex<Course>) {
        let mails = lock(course).waiting.len();
        self.work(session, course, Lane::First, 1);
        let most = self.relay.connections;
        let further = connections_that_pay(session.round_trip(), mails, most) - 1;
        thread::scope(|scope| {
            for _ in 0..further {
                scope.spawn(|| self.work(&mut self.session(), course, Lane::Further, usize::MAX));
            }
            self.work(session, course, Lane::First, usize::MAX);
        });
    }

    fn session(&self) -> Session {
        Session::new(self.relay.clone(), self.context.log.clone())
    }

    /// Sends at most so many of the waiting mails over one connection.
    fn work(&self, session: &mut Session, course: &Mutex<Course>, lane: Lane, most: usize) {
        let mut composer = Composer::new(self.sender);
        let mut next = self.take(course, &mut composer);
        let mut sent = 0;
        while let Some(mail) = next.take() {
            if sent == most || !self.goes_on(course) {
                lock(course).waiting.push_front(mail.place);
                return;
            }
            if sent + 1 < most {
                next = self.take(course, &mut composer);
            }
            let until = lock(course).until;
            let delivery = match &mail.text {
                Ok(text) => {
                    let upcoming = next.as_ref().and_then(|next| next.text.as_ref().ok());
                    let upcoming = upcoming.map(|text| self.outgoing(text));
                    session.send(&self.outgoing(text), upcoming.as_ref(), until)
                }
                Err(delivery) => delivery.clone(),
            };
            if let (Lane::Further, 0, Delivery::RelayDown(words)) = (lane, sent, &delivery) {
                // Perhaps the server grants a client only so many connections; the others go on.
                let log = &self.context.log;
                log.info(format_args!("no further connection: {words}"));
                let back = [Some(mail), next].into_iter().flatten().rev();
                back.for_each(|mail| lock(course).waiting.push_front(mail.place));
                return;
            }
            self.note(course, mail.place, delivery);
            sent += 1;
        }
    }

    fn take<'s>(
        &'s self,
        course: &Mutex<Course>,
        composer: &mut Composer<'s>,
    ) -> Option<Ready<'s>> {
        if !self.goes_on(course) {
            return None;
        }
        let place = lock(course).waiting.pop_front()?;
        let text = compose(self.mails[place], composer);
        Some(Ready { place, text })
    }

    /// Whether another mail may be sent.
    fn goes_on(&self, course: &Mutex<Course>) -> bool {
        let mut course = lock(course);
        if course.ended.is_none() {
            let now = Instant::now();
            let silenced = self.record.is_silenced();
            if self.stopping.is_set() || silenced || now >= self.deadline {
                course.ended = Some(Ended::PassOver);
            } else if now >= course.until {
                course.ended = Some(Ended::TooSlow(now - course.since));
            }
        }
        course.ended.is_none()
    }

    /// Writes down what became of a mail.
    fn note(&self, course: &Mutex<Course>, place: usize, delivery: Delivery) {
        let mut ended = None;
        match &delivery {
            Delivery::Accepted(words) => {
                let through = match self.relay.section.as_str() {
                    "smtp" => String::new(),
                    _ => format!(" through {}", self::place(self.relay)),
                };
                let how = format_args!("sent{through}: {words}");
                let recorded = self.record.sent(self.mails[place], how);
                ended = recorded.err().map(Ended::Unrecorded);
            }
            Delivery::RelayDown(words) => ended = Some(Ended::Down(words.clone())),
            Delivery::Refused(_) | Delivery::Deferred(_) | Delivery::InDoubt(_) => {}
        }
        let mut course = lock(course);
        if matches!(delivery, Delivery::Accepted(_)) {
            course.since = Instant::now();
            course.until = self.until(course.since);
        }
        course.answers[place] = Some(delivery);
        course.answered += 1;
        self.progress.reached(self.begun_at + course.answered);
        course.ended = course.ended.take().or(ended);
    }

    fn until(&self, now: Instant) -> Instant {
        now + share(self.deadline.saturating_duration_since(now), self.ways_left)
    }

    fn outgoing<'t>(&'t self, (to, message): &'t (&Address, Vec<u8>)) -> Outgoing<'t> {
        Outgoing {
            from: &self.sender.from.email,
            to,
            message,
        }
    }
}

/// The mail and whom it is for, or why there is none.
pub(super) fn compose<'a>(
    entry: &'a Entry,
    composer: &mut Composer<'a>,
) -> Result<(&'a Address, Vec<u8>), Delivery> {
    let Some(to) = &entry.to else {
        let words = "nobody to send it to is known yet";
        return Err(Delivery::Deferred(words.to_owned()));
    };
    match composer.compose(entry, to) {
        Ok(mail) => Ok((to, mail)),
        Err(error) => Err(Delivery::Refused(format!("{error:#}"))),
    }
}

/// A thread that has panicked leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
