//! How a mail tells how fast the storage grows. Pure.

use jiff::civil::Date;

use super::phrases::{clauses, decimal, threshold};
use crate::check::growth::Limit;
use crate::say;
use crate::wording::growth::{Outlook, Unit, Until};
use crate::words::Words;

/// `1.2 TiB a week`
pub(super) fn pace(words: &Words, outlook: &Outlook) -> String {
    let [low, high] = &outlook.amount;
    let amount = range(words, &decimal(words, low), &decimal(words, high));
    let amount = format!("{amount} {}", outlook.bytes);
    match outlook.each {
        Unit::Hour | Unit::Day => say!(words, "growth-a-day", amount = amount),
        Unit::Week | Unit::Month => say!(words, "growth-a-week", amount = amount),
    }
}

/// `at this pace over 85 % in 11 to 13 days (4 to 6 December), full in 5 weeks`
pub(super) fn ahead(words: &Words, outlook: &Outlook) -> String {
    let limits = outlook.ahead.iter().map(|(limit, until)| {
        let when = when(words, until);
        match limit {
            Limit::Level(percent) => say!(
                words,
                "growth-over-limit",
                limit = threshold(words, *percent),
                when = when
            ),
            Limit::Full => say!(words, "growth-full", when = when),
        }
    });
    say!(words, "growth-ahead", limits = clauses(words, limits))
}

fn when(words: &Words, until: &Until) -> String {
    let between = |first: u64, last: u64, unit: Unit| {
        let amount = range(words, &first.to_string(), &last.to_string());
        say!(
            words,
            "in-time",
            number = last,
            amount = amount,
            unit = name(unit)
        )
    };
    match until {
        Until::AtTheEarliest(number, unit) => say!(
            words,
            "in-time-at-the-earliest",
            number = number,
            unit = name(*unit)
        ),
        Until::WithinOne(unit) => say!(words, "within-one-unit", unit = name(*unit)),
        Until::Within(number, unit) => {
            say!(words, "within-time", number = number, unit = name(*unit))
        }
        Until::Between(first, last, unit) => between(*first, *last, *unit),
        Until::OnDays(first, last, days) => say!(
            words,
            "on-dates",
            when = between(*first, *last, Unit::Day),
            dates = dates(words, days)
        ),
    }
}

/// What a message calls it that asks for the unit.
fn name(unit: Unit) -> &'static str {
    match unit {
        Unit::Hour => "hours",
        Unit::Day => "days",
        Unit::Week => "weeks",
        Unit::Month => "months",
    }
}

/// `5 December`, `4 to 6 December`, `28 November to 2 December`
fn dates(words: &Words, [first, last]: &[Date; 2]) -> String {
    let day = |date: &Date| say!(words, "day", number = date.day());
    let date = |date: &Date, day: String| say!(words, "date", day = day, month = date.month());
    let whole = |of: &Date| date(of, day(of));
    if (first.year(), first.month()) == (last.year(), last.month()) {
        return date(last, range(words, &day(first), &day(last)));
    }
    range(words, &whole(first), &whole(last))
}

fn range(words: &Words, low: &str, high: &str) -> String {
    match low == high {
        true => high.to_owned(),
        false => say!(words, "range", low = low, high = high),
    }
}
