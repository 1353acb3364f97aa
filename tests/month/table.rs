//! The table: one line per scenario.

use std::fmt::Write as _;

use crate::ideal::Expected;
use crate::month::Arrived;
use crate::product;
use crate::reader::Fault;
use crate::story::{HOUR, MINUTE, Scenario};

/// What came of a scenario.
pub(crate) struct Row {
    scenario: Scenario,
    /// Mails to all recipients.
    pub(crate) mails: usize,
    /// Mails that should have been.
    pub(crate) ideal: usize,
    /// Mails that the old service would have sent to as many followers.
    pub(crate) old: usize,
    missed: usize,
    wrong: usize,
    repeated: usize,
    /// How many passes the latest mail came too late.
    pub(crate) late: i64,
    /// What is wrong with the mails, one line each.
    pub(crate) complaints: Vec<String>,
}

impl Row {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Row {
            scenario,
            mails: 0,
            ideal: 0,
            old: 0,
            missed: 0,
            wrong: 0,
            repeated: 0,
            late: 0,
            complaints: Vec::new(),
        }
    }

    fn complain(&mut self, at: i64, what: &str) {
        let (hours, minutes, seconds) = (at / HOUR, at % HOUR / MINUTE, at % MINUTE);
        let name = self.scenario.name();
        self.complaints
            .push(format!("{name}, {hours}:{minutes:02}:{seconds:02}: {what}"));
    }

    /// A mail that nobody should have written.
    pub(crate) fn surplus(&mut self, mail: &Arrived, start: i64) {
        self.wrong += 1;
        let subject = product::subject(&mail.alert);
        self.complain(
            mail.at - start,
            &format!("{} should not have got: {subject}", mail.to),
        );
    }

    /// A mail that somebody should have got.
    pub(crate) fn missing(&mut self, recipient: &str, missing: &Expected, start: i64) {
        self.missed += 1;
        let Expected { kind, topic, .. } = missing;
        let about = &missing.about;
        self.complain(
            missing.from - start,
            &format!(
                "{recipient} should have got: {topic} {}, {about:?}",
                kind.as_str()
            ),
        );
    }

    /// What a reader has to say.
    pub(crate) fn fault(&mut self, at: i64, who: &str, fault: &Fault) {
        match fault {
            Fault::Missed(what) => {
                self.missed += 1;
                self.complain(at, &format!("{who} was not told: {what}"));
            }
            Fault::False(what) => {
                self.wrong += 1;
                self.complain(at, &format!("{who} was told falsely: {what}"));
            }
            Fault::Repeated(what) => {
                self.repeated += 1;
                self.complain(at, &format!("{who} was told again: {what}"));
            }
        }
    }
}

/// All lines and the sums.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<36} {:>6} {:>6} {:>9} {:>7} {:>6} {:>9} {:>5}\n",
        "", "mails", "ideal", "old rules", "missed", "false", "repeated", "late"
    );
    let mut line = |name: &str, figures: [usize; 6], late: i64| {
        let [mails, ideal, old, missed, wrong, repeated] = figures;
        let _ = writeln!(
            text,
            "{name:<36} {mails:>6} {ideal:>6} {old:>9} {missed:>7} {wrong:>6} {repeated:>9} {late:>5}"
        );
    };
    let mut sums = [0; 6];
    let mut latest = 0;
    for row in rows {
        let figures = [
            row.mails,
            row.ideal,
            row.old,
            row.missed,
            row.wrong,
            row.repeated,
        ];
        line(row.scenario.name(), figures, row.late);
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum += figure;
        }
        latest = latest.max(row.late);
    }
    line("the month", sums, latest);
    text
}
