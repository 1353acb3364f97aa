//! The hours of the day in which a recipient wants to hear of nothing that can wait until the morning. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// No quiet hours last longer: nearly a day, in the night in which clocks are set back by an hour. (Only Lord Howe Island and
/// Antarctica's Troll set theirs by other amounts, and those by half an hour and two.)
pub const LONGEST: SignedDuration = SignedDuration::from_hours(26);

/// Hours that return each day, e.g. from 22:00 until 07:00 in the morning that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuietHours {
    from: Time,
    until: Time,
}

impl QuietHours {
    /// When these hours end, if they last at `now` by the clocks of `zone`; the end itself belongs to them no longer.
    ///
    /// A time that clocks skip in that night is the one an hour later, of one that comes twice the first counts: so hours
    /// never end twice, and always end.
    pub fn end(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = now.to_zoned(zone.clone()).date();
        let nights = [today.yesterday().ok(), Some(today)];
        let mut ends = nights.into_iter().flatten().filter_map(|evening| {
            let morning = match self.from < self.until {
                true => evening,
                false => evening.tomorrow().ok()?,
            };
            let at = |date: Date, time: Time| {
                let zoned = date.to_datetime(time).to_zoned(zone.clone());
                zoned.ok().map(|zoned| zoned.timestamp())
            };
            let (from, until) = (at(evening, self.from)?, at(morning, self.until)?);
            (from <= now && now < until).then_some(until)
        });
        ends.next()
    }
}

impl FromStr for QuietHours {
    type Err = String;

    /// Reads `22:00-07:00`; says what is wrong.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is no span of hours; write e.g. \"22:00-07:00\", from 00:00 to 23:59"
            )
        };
        let (from, until) = text.split_once('-').ok_or_else(wrong)?;
        let hours = QuietHours {
            from: time(from.trim()).ok_or_else(wrong)?,
            until: time(until.trim()).ok_or_else(wrong)?,
        };
        match hours.from == hours.until {
            true => Err(format!(
                "\"{text}\" begins when it ends; for someone who wants nothing but what is critical at any hour, \
                 write severity = \"critical\""
            )),
            false => Ok(hours),
        }
    }
}

/// `07:00`, or `7:00`
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, lengths: &[usize]| -> Option<i8> {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && lengths.contains(&digits.len())).then(|| digits.parse().ok())?
    };
    Time::new(number(hour, &[1, 2])?, number(minute, &[2])?, 0, 0).ok()
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, until] = [self.from, self.until].map(|time| time.strftime("%H:%M"));
        write!(f, "{from}-{until}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn hours(text: &str) -> QuietHours {
        text.parse().unwrap()
    }

    /// When the hours end that last at this time in Berlin, both in UTC.
    fn end(text: &str, now: &str) -> Option<String> {
        // The machine that tests this need not have a time zone database.
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let end = hours(text).end(now.parse().unwrap(), &berlin);
        end.map(|end| end.to_string())
    }

    #[test]
    fn they_begin_and_end_on_the_minute_also_over_midnight() {
        for (text, now, expected) in [
            ("22:00-07:00", "2026-11-23T20:59:59.999Z", None),
            (
                "22:00-07:00",
                "2026-11-23T21:00:00Z",
                Some("2026-11-24T06:00:00Z"),
            ),
            (
                "22:00-07:00",
                "2026-11-23T22:59:59Z",
                Some("2026-11-24T06:00:00Z"),
            ),
            (
                "22:00-07:00",
                "2026-11-23T23:00:00Z",
                Some("2026-11-24T06:00:00Z"),
            ),
            (
                "22:00-07:00",
                "2026-11-24T05:59:59.999Z",
                Some("2026-11-24T06:00:00Z"),
            ),
            ("22:00-07:00", "2026-11-24T06:00:00Z", None),
            ("22:00-07:00", "2026-11-24T12:00:00Z", None),
            ("12:30-13:30", "2026-11-24T11:29:59Z", None),
            (
                "12:30-13:30",
                "2026-11-24T11:30:00Z",
                Some("2026-11-24T12:30:00Z"),
            ),
            ("12:30-13:30", "2026-11-24T12:30:00Z", None),
            (
                "22:00-00:00",
                "2026-11-23T22:59:59Z",
                Some("2026-11-23T23:00:00Z"),
            ),
            ("22:00-00:00", "2026-11-23T23:00:00Z", None),
            ("00:00-06:00", "2026-11-23T22:59:59Z", None),
            (
                "00:00-06:00",
                "2026-11-23T23:00:00Z",
                Some("2026-11-24T05:00:00Z"),
            ),
            // All day but for a minute.
            ("00:01-00:00", "2026-11-23T23:00:30Z", None),
            (
                "00:01-00:00",
                "2026-11-23T23:01:00Z",
                Some("2026-11-24T23:00:00Z"),
            ),
        ] {
            assert_eq!(end(text, now).as_deref(), expected, "{text} at {now}");
        }
    }

    #[test]
    fn in_the_nights_in_which_clocks_are_set_they_end_once_and_by_the_clock() {
        for (text, now, expected) in [
            // In spring 02:00 to 03:00 is skipped, at 01:00 UTC: the night is an hour shorter.
            (
                "22:00-07:00",
                "2026-03-28T21:00:00Z",
                Some("2026-03-29T05:00:00Z"),
            ),
            (
                "22:00-07:00",
                "2026-03-29T04:59:59Z",
                Some("2026-03-29T05:00:00Z"),
            ),
            ("22:00-07:00", "2026-03-29T05:00:00Z", None),
            (
                "22:00-02:30",
                "2026-03-29T00:59:59Z",
                Some("2026-03-29T01:30:00Z"),
            ),
            (
                "22:00-02:30",
                "2026-03-29T01:29:59Z",
                Some("2026-03-29T01:30:00Z"),
            ),
            ("22:00-02:30", "2026-03-29T01:30:00Z", None),
            ("02:30-05:00", "2026-03-29T01:29:59Z", None),
            (
                "02:30-05:00",
                "2026-03-29T01:30:00Z",
                Some("2026-03-29T03:00:00Z"),
            ),
            // Hours that lie in what is skipped.
            (
                "02:10-02:40",
                "2026-03-29T01:10:00Z",
                Some("2026-03-29T01:40:00Z"),
            ),
            ("02:10-02:40", "2026-03-29T01:40:00Z", None),
            // In autumn 02:00 to 03:00 comes twice, from 00:00 and from 01:00 UTC: the night is an hour longer.
            (
                "22:00-07:00",
                "2026-10-24T20:00:00Z",
                Some("2026-10-25T06:00:00Z"),
            ),
            (
                "22:00-07:00",
                "2026-10-25T05:59:59Z",
                Some("2026-10-25T06:00:00Z"),
            ),
            (
                "22:00-02:30",
                "2026-10-25T00:29:59Z",
                Some("2026-10-25T00:30:00Z"),
            ),
            ("22:00-02:30", "2026-10-25T00:30:00Z", None),
            ("22:00-02:30", "2026-10-25T01:10:00Z", None),
            (
                "02:30-05:00",
                "2026-10-25T00:30:00Z",
                Some("2026-10-25T04:00:00Z"),
            ),
            (
                "02:30-05:00",
                "2026-10-25T01:10:00Z",
                Some("2026-10-25T04:00:00Z"),
            ),
        ] {
            assert_eq!(end(text, now).as_deref(), expected, "{text} at {now}");
        }
    }

    #[test]
    fn whatever_the_clock_shows_they_end_within_a_day() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for text in ["22:00-07:00", "00:01-00:00", "02:31-02:30", "23:59-00:00"] {
            for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
                let end = hours(text).end(now, &zone);
                assert!(end.is_none_or(|end| now < end && end.duration_since(now) < LONGEST));
            }
        }
        let end = hours("02:31-02:30").end("2026-10-24T00:31:00Z".parse().unwrap(), &zone);
        assert_eq!(end.unwrap().to_string(), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn they_are_written_as_people_do_and_read_back() {
        for (text, written) in [
            ("22:00-07:00", "22:00-07:00"),
            ("22:00 - 7:00", "22:00-07:00"),
            ("0:00-23:59", "00:00-23:59"),
        ] {
            assert_eq!(hours(text).to_string(), written);
            assert_eq!(hours(written), hours(text));
        }
        for wrong in [
            "",
            "22:00",
            "22-7",
            "22:00-24:00",
            "22:60-07:00",
            "22:0-07:00",
            "-1:00-07:00",
            "22:00-07:00-08:00",
            "10pm-7am",
            "+2:00-07:00",
            "22:00:00-07:00",
            "022:00-07:00",
            "２２:00-07:00",
        ] {
            let told = wrong.parse::<QuietHours>().unwrap_err();
            assert!(
                told.contains("write e.g. \"22:00-07:00\""),
                "{wrong}: {told}"
            );
        }
        let told = "07:00-7:00".parse::<QuietHours>().unwrap_err();
        assert!(told.contains("begins when it ends"), "{told}");
    }
}
