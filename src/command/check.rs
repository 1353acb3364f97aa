//! `petanotify check`: one pass, in order.

use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use super::deliver::{
    Details, Mail, PASS_TIME, Stopping, Tally, deliver, mail_time, report_left_over,
};
use super::observe::{self, Keep, Sight};
use super::route::{Route, recovery};
use super::share::{self, JUDGED_AT_MOST, Judged, Part, Purpose, Share, When};
use super::{Context, Done, Stop, keep, print, print_json, silence, watchers};
use crate::alert::{Observed, Outcome, Present, Rules, State as CheckState, judge_pass};
use crate::audience::{Roll, Told, catch_up, forget_what_is_over};
use crate::check::CheckName;
use crate::cli;
use crate::incident::Kind;
use crate::late::bring_up_to_date;
use crate::message;
use crate::metrics::Voice;
use crate::output;
use crate::queue::{Entry, Queue, Recovery};
use crate::quiet_hours::QuietHours;
use crate::replace::Safe;
use crate::severity::Severity;
use crate::state::{LastPass, State};
use crate::store::{Lock, Saved};
use crate::text::one_line;
use crate::wording;

/// The cluster's name where neither the configuration nor Consul has ever told one.
pub(super) const NAMELESS: &str = "ceph";

/// So many of those who are told stand in a line of the log.
const NAMED: usize = 5;

/// Carries out one pass.
///
/// # Errors
/// No pass was made, or its result could not be saved: see [`Stop`].
pub fn check(context: &Context, options: cli::Check) -> Result<Done, Stop> {
    let begin = Instant::now();
    let ended = carry_out(context, options, begin);
    if !options.dry_run {
        watchers::send_heartbeat(context, &ended, PASS_TIME.saturating_sub(begin.elapsed()));
    }
    ended
}

fn carry_out(context: &Context, options: cli::Check, begin: Instant) -> Result<Done, Stop> {
    let lock = match options.dry_run {
        true => None,
        false => Some(super::lock(context)?),
    };
    let loaded = match &lock {
        Some(lock) => context.store.load(lock, context.now),
        None => context.store.read(context.now),
    };
    let loaded = loaded.map_err(Stop::State)?;
    for problem in &loaded.problems {
        context.log.error(problem);
    }

    let mut state = loaded.state;
    let purpose = match lock {
        Some(_) => Purpose::Pass,
        None => Purpose::Look,
    };
    let share = match (
        share::take_part(context, &mut state, loaded.sent, purpose),
        &lock,
    ) {
        (Part::Alone, _) | (Part::Listener(_), None) => None,
        (Part::Speaker(share), _) => Some(share),
        (Part::Listener(share), Some(lock)) => {
            return listen(context, lock, state, *share, begin, options);
        }
    };

    let sight = observe::observe(context, share.as_deref().map(Share::agent));
    let keep = if lock.is_some() { Keep::Yes } else { Keep::No };
    let (seen, route) = Seen::settle(context, sight, keep);
    let mut pass = Pass::begin(state, route);
    match share {
        None => pass.judge(context, seen),
        Some(share) => pass.judge_and_publish(context, seen, share, begin, options),
    }
    pass.report_causes(context, options);
    let (last_pass, tally) = pass.finish(context, lock.as_ref(), begin, options);
    if lock.is_some() {
        let tally = tally.as_ref().copied().unwrap_or_default();
        let voice = match pass.share {
            Some(_) => Voice::Speaker,
            None => Voice::Alone,
        };
        watchers::write_metrics(context, &pass.state, &last_pass, tally, voice);
    }
    let tally = tally?;
    let LastPass {
        duration_ms,
        complete,
        ..
    } = last_pass;
    context.log.info(format!("the pass took {duration_ms} ms"));

    if options.format.json {
        print_json(&pass.document(context, options, duration_ms, tally))?;
    } else if options.dry_run || output::stdout_is_terminal() {
        print(&pass.text(context, options, tally))?;
    }
    if let Some(cause) = pass.away {
        return Err(Stop::State(cause));
    }
    Ok(if complete {
        Done::Complete
    } else {
        Done::Incomplete
    })
}

/// A pass in which another node speaks: what that shares is kept here as well.
fn listen(
    context: &Context,
    lock: &Lock,
    mut state: State,
    mut share: Share,
    begin: Instant,
    options: cli::Check,
) -> Result<Done, Stop> {
    let words = share.who_speaks();
    context.log.info(&words);
    // What was told or queued here alone, while nothing could be shared, is not to wait until this node speaks.
    share.publish(context, &mut state, When::Ahead);
    if share.has_changed() {
        keep(context, lock, &mut state)?;
    }
    let last_pass = last_pass(context, begin, !share.has_trouble());
    let tally = Tally::default();
    watchers::write_metrics(context, &state, &last_pass, tally, Voice::Silent);
    if options.format.json {
        print_json(&Document {
            version: 1,
            dry_run: false,
            started: context.now,
            duration_ms: last_pass.duration_ms,
            speaker: share.speaker().map(str::to_owned),
            checks: Vec::new(),
            silences: Vec::new(),
            alerts: Vec::new(),
            mail: MailDocument {
                sent: 0,
                queued: state.queue.len(),
                held: None,
                dropped: 0,
            },
        })?;
    } else if output::stdout_is_terminal() {
        print(&format!("{words}\n"))?;
    }
    Ok(match share.has_trouble() {
        true => Done::Incomplete,
        false => Done::Silent,
    })
}

/// A pass that ends now.
fn last_pass(context: &Context, begin: Instant, complete: bool) -> LastPass {
    LastPass {
        started: context.now,
        duration_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        complete,
    }
}

/// What a pass has seen.
struct Seen {
    observed: Observed,
    /// The cluster's name, if it is known.
    cluster: Option<String>,
    roll: Roll,
}

impl Seen {
    fn settle(context: &Context, sight: Sight, keep: Keep) -> (Self, Route) {
        let settings = &context.settings;
        let roll = observe::roll(settings, sight.import.as_ref());
        let import = observe::settle_import(context, sight.import, keep);
        let seen = Seen {
            observed: sight.observed,
            cluster: settings.cluster_name.clone().or(sight.datacenter),
            roll,
        };
        (seen, Route::by(context, import.as_ref()))
    }
}

/// A pass after judging.
struct Pass {
    /// What the nodes share, where they do.
    share: Option<Box<Share>>,
    state: State,
    /// Every check was carried out in whole, as far as this node has seen.
    carried_out: bool,
    alerts: Vec<Told>,
    /// What was told as it is to those who have come since.
    caught_up: Vec<Told>,
    /// Mails to those who are no recipients any more.
    forgotten: Vec<Entry>,
    route: Route,
    /// Why the state is not where it belongs.
    away: Option<anyhow::Error>,
}

impl Pass {
    fn begin(state: State, route: Route) -> Pass {
        Pass {
            share: None,
            state,
            carried_out: false,
            alerts: Vec::new(),
            caught_up: Vec::new(),
            forgotten: Vec::new(),
            route,
            away: None,
        }
    }

    /// Judges, and publishes what came of it: a successor must know what is to be sent before the first of it leaves. Where
    /// another node has published meanwhile, this one looks and judges anew: what it has found may have been told there, and
    /// would go out a second time under another name.
    fn judge_and_publish(
        &mut self,
        context: &Context,
        mut seen: Seen,
        mut share: Box<Share>,
        begin: Instant,
        options: cli::Check,
    ) {
        let mut before = self.state.clone();
        for attempt in 1..=JUDGED_AT_MOST {
            self.judge(context, seen);
            if self.state.last_pass.is_none() {
                // What is published for the first time is to be told of on every node.
                let is_complete = self.is_complete(options) && !share.has_trouble();
                self.state.last_pass = Some(last_pass(context, begin, is_complete));
            }
            if attempt == JUDGED_AT_MOST {
                share.publish(context, &mut self.state, When::Due);
                break;
            }
            match share.publish_judged(context, &mut self.state, &mut before) {
                Judged::Stands => break,
                Judged::Overtaken => self.state = before.clone(),
            }
            // What was seen before the other one published may be older than what that has told.
            let sight = observe::observe(context, Some(share.agent()));
            (seen, self.route) = Seen::settle(context, sight, Keep::Yes);
        }
        if share.has_lost_the_voice() {
            self.forget_what_was_judged(before);
        }
        self.share = Some(share);
    }

    fn judge(&mut self, context: &Context, seen: Seen) {
        let Seen {
            observed,
            cluster,
            roll,
        } = seen;
        let settings = &context.settings;
        let mut state = std::mem::take(&mut self.state);
        let cluster = cluster
            .or(state.cluster.take())
            .unwrap_or_else(|| NAMELESS.to_owned());
        let rules = Rules {
            checks: &settings.checks,
            notify: &settings.notify,
            nodes_prefix: &settings.consul.nodes_prefix,
            cluster: &cluster,
        };
        let verdict = judge_pass(state.memory, observed, rules, context.now);
        state.memory = verdict.memory;
        let recipients = &self.route.recipients;
        let recovery = recovery(context);
        let mut forgotten = Vec::new();
        let State {
            memory,
            queue,
            told,
            ..
        } = &mut state;
        let audiences = &mut memory.audiences;
        if roll == Roll::Whole && !recipients.is_empty() {
            let tell = |entry: &Entry| forgotten.push(entry.clone());
            audiences.forget_others(queue, recipients, tell);
        }
        audiences.address(queue, recipients, recovery);
        let mut alerts: Vec<Told> = Vec::new();
        for alert in verdict.alerts {
            let raised = alert.raised;
            let to = audiences.tell(queue, &alert, raised, recipients, recovery);
            alerts.push((alert, to));
        }
        alerts.retain(|(alert, _)| alert.kind != Kind::Cleared || recovery == Recovery::Told);
        let present = Present {
            around: &verdict.around,
            rules,
            now: context.now,
        };
        let mut caught_up = Vec::new();
        if roll >= Roll::Read && !recipients.is_empty() {
            caught_up = catch_up(memory, queue, recipients, present);
        }
        forget_what_is_over(memory, queue);
        bring_up_to_date(memory, queue, present);
        let end = |hours: &QuietHours| hours.end(context.now, &context.zone);
        queue.keep_hours(recipients, end, context.now);
        if !told.is_empty() {
            // Another node has told the same while the two could not know of each other.
            queue.remove(&told.ids());
        }
        state.cluster = Some(cluster);
        self.state = state;
        self.alerts = alerts;
        self.caught_up = caught_up;
        self.forgotten = forgotten;
        // What others hand over later is none of what this pass has seen.
        let carried_out = self.outcomes().all(|(_, outcome)| outcome.error.is_none());
        self.carried_out = carried_out;
    }

    fn outcomes(&self) -> impl Iterator<Item = (&CheckName, &Outcome)> {
        self.state.memory.outcomes.iter()
    }

    /// Says what was found, what could not be carried out and what stands in the way of mail.
    fn report_causes(&self, context: &Context, options: cli::Check) {
        let log = &context.log;
        for (name, outcome) in self.outcomes() {
            match &outcome.error {
                Some(error) => log.error(format!("check {name}: {}", one_line(error))),
                None => log.info(format!("check {name}: {}", outcome.summary)),
            }
        }
        let raised = if options.dry_run {
            &[]
        } else {
            self.alerts.as_slice()
        };
        for (alert, _) in raised {
            log.notice(format!(
                "{}: {}; {}",
                alert.kind.as_str(),
                message::subject(alert, &context.words),
                Details(alert)
            ));
        }
        if !options.dry_run {
            self.report_changed_recipients(context);
        }
        let waiting = match self.state.queue.len() {
            0 => "so no alert can reach anybody".to_owned(),
            1 => "so 1 mail waits".to_owned(),
            many => format!("so {many} mails wait"),
        };
        if self.route.ways.is_empty() {
            let missing = self.route.missing();
            log.warning(format!("mail is not set up: {missing}; {waiting}"));
        } else if self.route.recipients.is_empty() {
            log.warning(format!(
                "nobody is to be told: the configuration has no [[recipient]] and PetaSAN no user with an e-mail \
                 address who is to be notified; {waiting}"
            ));
        }
        if !self.route.ways.is_empty() {
            self.route.warn(context);
        }
    }

    /// Says who is told of what lasts, and who is told nothing more.
    fn report_changed_recipients(&self, context: &Context) {
        for (alert, to) in &self.caught_up {
            context.log.notice(format!(
                "told to {}, who had not been told: {}; {}",
                wording::list_first(to.iter().map(ToString::to_string), NAMED),
                message::subject(alert, &context.words),
                Details(alert)
            ));
        }
        for entry in &self.forgotten {
            context.log.notice(format!(
                "{} was not sent: that is no recipient any more; {}",
                Mail(entry, &context.words),
                Details(&entry.alert)
            ));
        }
    }

    /// Mails what is due, and saves. How the pass went is known also where that could not be saved.
    fn finish(
        &mut self,
        context: &Context,
        lock: Option<&Lock>,
        begin: Instant,
        options: cli::Check,
    ) -> (LastPass, Result<Tally, Stop>) {
        let mut tally = Ok(Tally::default());
        if !self.has_lost_the_voice() {
            tally = match lock {
                Some(lock) => self.mail(context, lock, begin),
                None => Ok(Tally::default()),
            };
            if let Some(share) = &mut self.share {
                share.take_down_sent(&mut self.state);
            }
            self.publish(context, When::News);
        }
        if tally.is_ok() {
            self.report_left_over(context, options);
        }
        let is_complete = tally.is_ok() && self.is_complete(options);
        let mut last_pass = last_pass(context, begin, is_complete);
        self.end_share(context, tally.as_ref().ok());
        let (Some(lock), Ok(tally)) = (lock, &tally) else {
            return (last_pass, tally);
        };
        self.state.last_pass = Some(last_pass.clone());
        let saved = self.save(context, lock, self.safe()).map_err(Stop::State);
        last_pass.complete &= saved.is_ok() && self.away.is_none();
        (last_pass, saved.map(|()| *tally))
    }

    fn publish(&mut self, context: &Context, when: When) {
        if let Some(share) = &mut self.share {
            share.publish(context, &mut self.state, when);
        }
    }

    /// Another node has the lock, and judges for itself: what it sees may be called otherwise, and would be told twice.
    fn forget_what_was_judged(&mut self, before: State) {
        self.state = before;
        self.alerts.clear();
        self.caught_up.clear();
        self.forgotten.clear();
    }

    fn has_lost_the_voice(&self) -> bool {
        self.share
            .as_ref()
            .is_some_and(|share| share.has_lost_the_voice())
    }

    /// Takes down whether this node could do anything at all.
    fn end_share(&mut self, context: &Context, tally: Option<&Tally>) {
        let is_ceph = |check: &CheckName| *check != CheckName::Nodes;
        let mut ceph = self.outcomes().filter(|(check, _)| is_ceph(check));
        let blind = ceph.next().is_some_and(|(_, first)| {
            first.state == CheckState::Unknown
                && ceph.all(|(_, outcome)| outcome.state == CheckState::Unknown)
        });
        drop(ceph);
        let mute = tally.is_some_and(|tally| tally.no_way_out);
        if let Some(share) = &mut self.share {
            share.end(context, blind || mute);
        }
    }

    /// When what the pass has found must be safe from a power cut. A pass that raised nothing and leaves no mail adds
    /// nothing that the next one would not find out again: it spares the disk a sync.
    fn safe(&self) -> Safe {
        if self.alerts.is_empty() && self.state.queue.is_empty() {
            Safe::Soon
        } else {
            Safe::Now
        }
    }

    /// Saves the state, in the second place if need be.
    fn save(&mut self, context: &Context, lock: &Lock, safe: Safe) -> anyhow::Result<()> {
        if let Saved::Away(cause) = context.store.save(lock, &mut self.state, safe)? {
            self.away = Some(cause);
        }
        Ok(())
    }

    /// Sends what is due. What is to be sent is on disk before the first of it leaves.
    fn mail(&mut self, context: &Context, lock: &Lock, begin: Instant) -> Result<Tally, Stop> {
        if self.route.ways.is_empty() || self.state.queue.due(context.now).is_empty() {
            return Ok(Tally::default());
        }
        let stopping = Stopping::watch();
        if let Err(error) = self.save(context, lock, Safe::Now) {
            for (alert, _) in &self.alerts {
                context.log.error(format!(
                    "not mailed, for it could not be saved: {}; {}",
                    message::subject(alert, &context.words),
                    Details(alert)
                ));
            }
            return Err(Stop::State(error));
        }
        let time = mail_time(begin.elapsed());
        let queue = &mut self.state.queue;
        let share = self.share.as_deref();
        deliver(
            context,
            lock,
            queue,
            &self.route.ways,
            time,
            &stopping,
            share,
        )
    }

    /// Says why mail stays, each cause in one line, also when none was due: the exit status alone explains nothing.
    fn report_left_over(&self, context: &Context, options: cli::Check) {
        if options.dry_run || self.route.ways.is_empty() {
            return;
        }
        report_left_over(context, &self.state.queue);
    }

    /// Whether every check was carried out in whole and no mail is left over.
    fn is_complete(&self, options: cli::Check) -> bool {
        let shared = self.share.as_ref().is_none_or(|share| !share.has_trouble());
        self.carried_out && shared && (options.dry_run || self.state.queue.has_nothing_left_over())
    }

    fn document(
        &self,
        context: &Context,
        options: cli::Check,
        duration_ms: u64,
        tally: Tally,
    ) -> Document<'_> {
        Document {
            version: 1,
            dry_run: options.dry_run,
            started: context.now,
            duration_ms,
            speaker: None,
            checks: self
                .outcomes()
                .map(|(&name, outcome)| CheckDocument {
                    name,
                    state: outcome.state,
                    summary: outcome.summary.clone(),
                    error: outcome.error.clone(),
                })
                .collect(),
            silences: silence::documents(&self.state.memory, context.now),
            alerts: self
                .alerts
                .iter()
                .chain(&self.caught_up)
                .map(|(alert, to)| AlertDocument {
                    check: alert.report.topic().as_str(),
                    kind: alert.kind.as_str(),
                    subject: message::subject(alert, &context.words),
                    severity: alert.severity(),
                    recipients: to.iter().map(ToString::to_string).collect(),
                })
                .collect(),
            mail: MailDocument {
                sent: tally.sent,
                queued: self.state.queue.len(),
                held: Some(self.state.queue.held()).filter(|held| *held > 0),
                dropped: tally.dropped,
            },
        }
    }

    fn text(&self, context: &Context, options: cli::Check, tally: Tally) -> String {
        let style = &context.style;
        let mut text = String::new();
        for (name, outcome) in self.outcomes() {
            let word = format!("{:<7}", outcome.state.as_str());
            let word = match outcome.state {
                CheckState::Ok => style.green(&word),
                CheckState::Alert => style.red(&word),
                CheckState::Unknown => style.yellow(&word),
            };
            text.push_str(&format!("{name:<8}  {word}  {}\n", outcome.summary));
        }
        if !options.dry_run {
            text.push_str(&format!(
                "mail: {} sent, {} queued, {} dropped\n",
                tally.sent,
                self.state.queue.len(),
                tally.dropped
            ));
            return text;
        }
        text.push_str(&would_mail(&self.state.queue, context));
        text
    }
}

/// What a pass would try to send now.
fn would_mail(queue: &Queue, context: &Context) -> String {
    let words = || &context.words;
    let due = queue.due(context.now);
    let mut text = String::new();
    for entry in &due {
        let to = entry.to.as_ref().map(ToString::to_string);
        text.push_str(&format!(
            "would mail {}: {}\n",
            to.unwrap_or_default(),
            message::subject_of(entry, words())
        ));
    }
    for entry in queue.iter().filter(|entry| entry.to.is_none()) {
        text.push_str(&format!(
            "would keep, for nobody is to be told: {}\n",
            message::subject(&entry.alert, words())
        ));
    }
    let held = queue.held();
    if held > 0 {
        let mails = wording::count(held, "mail");
        text.push_str(&format!("{mails} held back by quiet hours\n"));
    }
    let later = queue.len() - due.len() - queue.unaddressed() - held;
    if later > 0 {
        text.push_str(&format!(
            "{} to be tried later\n",
            wording::count(later, "mail")
        ));
    }
    if text.is_empty() {
        text.push_str("would mail nothing\n");
    }
    text
}

/// The document of `check --json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    dry_run: bool,
    started: Timestamp,
    duration_ms: u64,
    /// Who speaks, where this node is silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<String>,
    checks: Vec<CheckDocument>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silences: Vec<silence::Document<'a>>,
    alerts: Vec<AlertDocument>,
    mail: MailDocument,
}

#[derive(Serialize)]
struct CheckDocument {
    name: CheckName,
    state: CheckState,
    summary: String,
    error: Option<String>,
}

#[derive(Serialize)]
struct AlertDocument {
    check: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Severity::is_least")]
    severity: Severity,
    subject: String,
    recipients: Vec<String>,
}

#[derive(Serialize)]
struct MailDocument {
    sent: usize,
    queued: usize,
    /// In quiet hours alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<usize>,
    dropped: usize,
}
