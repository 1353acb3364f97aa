//! Durations as people write them: `20s`, `5m`, `1h 30m`, `7d`.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use jiff::{SignedDuration, SpanRelativeTo};

/// Reads a duration that carries its unit. A day has 24 hours; months and years have no fixed length and are refused.
///
/// # Errors
/// Says what is allowed, when the text is no duration, not above 0 or longer than `longest`.
pub(crate) fn parse(text: &str, longest: Duration) -> Result<Duration, String> {
    if text.parse::<f64>().is_ok() {
        return Err(format!("{text} has no unit; write e.g. \"{text}s\""));
    }
    let duration = SpanParser::new()
        .parse_span(text)
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| {
            format!("\"{text}\" is no duration; write e.g. \"20s\", \"5m\", \"1h 30m\" or \"7d\"")
        })?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() && duration <= longest => Ok(duration),
        _ => Err(format!(
            "{text} is out of range; allowed: above 0 to {}",
            format(longest)
        )),
    }
}

/// Writes a duration so that [`parse`] reads the same one again.
pub(crate) fn format(duration: Duration) -> String {
    match SignedDuration::try_from(duration) {
        Ok(duration) => format!("{duration:#}"),
        Err(_) => format!("{}s", duration.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn units_are_understood_alone_and_together() {
        let seconds = [
            ("1s", 1),
            ("20s", 20),
            ("20 seconds", 20),
            ("5m", 300),
            ("5min", 300),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("24h", 86_400),
            ("1d", 86_400),
            ("1.5h", 5400),
        ];
        for (text, seconds) in seconds {
            assert_eq!(parse(text, DAY), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1ms", DAY), Ok(Duration::from_millis(1)));
    }

    #[test]
    fn the_longest_is_allowed_and_nothing_beyond() {
        assert_eq!(parse("1440m", DAY), Ok(DAY));
        for text in ["1441m", "2d", "1w", "0s", "-5m", "5m ago", "175307616h"] {
            let message = parse(text, DAY).unwrap_err();
            assert_eq!(
                message,
                format!("{text} is out of range; allowed: above 0 to 24h")
            );
        }
    }

    #[test]
    fn a_bare_number_is_told_to_add_a_unit() {
        assert_eq!(
            parse("20", DAY).unwrap_err(),
            "20 has no unit; write e.g. \"20s\""
        );
    }

    #[test]
    fn anything_else_is_no_duration() {
        for text in [
            "",
            " ",
            "soon",
            "5 parsecs",
            "1mo",
            "1y",
            "5M",
            "PT5M",
            "99999999999999999999h",
        ] {
            let message = parse(text, DAY).unwrap_err();
            assert!(message.contains("is no duration"), "{text}: {message}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for text in ["20s", "5m", "1h 30m", "24h", "500ms"] {
            assert_eq!(format(parse(text, DAY).unwrap()), text);
        }
    }
}
