//! How full the storage is, as a bar with both levels marked, and how much fuller it will be in a week.

use super::markup::Markup;
use crate::check::capacity::{Level, Reading};
use crate::check::growth::Growth;
use crate::message::phrases;
use crate::say;
use crate::words::Words;

/// From this level on its label ends below its mark, else it begins there: so it never leaves the bar.
const LABEL_LEFT_FROM: f64 = 40.0;

/// How far ahead the growth is drawn.
const DAYS: f64 = 7.0;

/// Draws the figure, the bar and the two levels; the growth where it is sure.
pub(super) fn draw(out: &mut Markup, reading: &Reading, growth: Option<&Growth>, words: &Words) {
    let (class, ink) = match reading.level {
        Level::Ok => ("to", "#067647"),
        Level::Warn => ("ts", "#93540a"),
        Level::Critical => ("tn", "#b42318"),
    };
    let growth = growth.filter(|growth| !growth.ahead(reading).is_empty());
    let percent = phrases::percent(words, reading);
    let (warn, critical) = (reading.warn_percent, reading.critical_percent);
    let free = reading.total_bytes.saturating_sub(reading.used_bytes);
    out.raw("<div style=\"padding: 4px 0 6px\"><span class=\"")
        .raw(class)
        .raw("\" style=\"font-size: 38px; line-height: 44px; font-weight: 700; color: ")
        .raw(ink)
        .raw("\">")
        .text(&percent)
        .raw("</span> <span class=\"mu\" style=\"color: #5d6b7e\">")
        .text(&say!(
            words,
            "picture-used",
            free = phrases::bytes(words, free),
            total = phrases::bytes(words, reading.total_bytes)
        ))
        .raw("</span></div>\n<div role=\"img\" aria-label=\"")
        .escaped(&say!(
            words,
            "picture-in-words",
            percent = percent,
            warn = phrases::threshold(words, warn),
            critical = phrases::threshold(words, critical)
        ))
        .raw("\">");
    let limit = phrases::threshold(words, warn);
    label(out, warn, &say!(words, "picture-warn", limit = limit));
    segments(out, reading, growth);
    let limit = phrases::threshold(words, critical);
    label(
        out,
        critical,
        &say!(words, "picture-critical", limit = limit),
    );
    out.raw("</div>\n");
    if growth.is_some() {
        out.raw("<div class=\"mu\" style=\"font-size: 12px; line-height: 18px; color: #5d6b7e\">")
            .raw("<span aria-hidden=\"true\" style=\"display: inline-block; width: 12px; height: 12px; background: ")
            .raw(colours(reading.level).1)
            .raw("\">&nbsp;</span> ")
            .text(&say!(words, "picture-in-7-days"))
            .raw("</div>\n");
    }
}

/// Of what is used, and of what will be.
fn colours(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::Ok => ("#2da44e", "#8fd3a6"),
        Level::Warn => ("#d98a0b", "#f0c06a"),
        Level::Critical => ("#d92d20", "#f29a93"),
    }
}

/// The name of a level, next to where it is marked in the bar.
fn label(out: &mut Markup, level: f64, words: &str) {
    let (before, after) = if level >= LABEL_LEFT_FROM {
        (words, "&nbsp;")
    } else {
        ("&nbsp;", words)
    };
    open(out);
    out.raw("<td width=\"")
        .raw(&share(level))
        .raw("\" class=\"mu\" style=\"text-align: right; font-size: 12px; line-height: 18px; color: #5d6b7e\">");
    raw_or_text(out, before);
    out.raw("</td><td class=\"mu\" style=\"font-size: 12px; line-height: 18px; color: #5d6b7e\">");
    raw_or_text(out, after);
    out.raw("</td></tr></table>\n");
}

fn raw_or_text(out: &mut Markup, words: &str) {
    if words == "&nbsp;" {
        out.raw(words);
    } else {
        out.text(words);
    }
}

/// The bar itself, cut wherever something begins or ends: what is used, the room below the levels, between and above them.
fn segments(out: &mut Markup, reading: &Reading, growth: Option<&Growth>) {
    let (warn, critical) = (reading.warn_percent, reading.critical_percent);
    let used = reading.percent.clamp(0.0, 100.0);
    let (fill, fill_soon) = colours(reading.level);
    let more = growth.map_or(0.0, |growth| growth.bytes_per_day as f64 * DAYS);
    let more = 100.0 * more / reading.total_bytes.max(1) as f64;
    let soon = (used + more).clamp(used, 100.0);
    let mut ends = [used, soon, warn, critical, 100.0];
    ends.sort_by(f64::total_cmp);
    open(out);
    let mut from = 0.0;
    for to in ends {
        if to - from < 0.05 {
            continue;
        }
        let (class, ground) = match to {
            to if to <= used => ("", fill),
            to if to <= soon => ("", fill_soon),
            to if to <= warn => ("z0 ", "#e4e8ed"),
            to if to <= critical => ("z1 ", "#fbeac2"),
            _ => ("z2 ", "#fadbd8"),
        };
        let is_level = (to == warn || to == critical) && to < 100.0;
        let mark = if is_level {
            "; border-right: 2px solid #1f2a37"
        } else {
            ""
        };
        out.raw("<td class=\"")
            .raw(class)
            .raw("tk\" width=\"")
            .raw(&share(to - from))
            .raw("\" height=\"20\" bgcolor=\"")
            .raw(ground)
            .raw("\" style=\"font-size: 1px; line-height: 20px")
            .raw(mark)
            .raw("\">&nbsp;</td>\n");
        from = to;
    }
    out.raw("</tr></table>\n");
}

fn open(out: &mut Markup) {
    out.raw("<table role=\"presentation\" width=\"100%\" cellspacing=\"0\" cellpadding=\"0\" style=\"table-layout: fixed\"><tr>");
}

fn share(percent: f64) -> String {
    format!("{percent:.1}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_bar_are_the_whole_and_the_levels_are_marked() {
        let growth = |bytes_per_day: i64| Growth {
            bytes_per_day,
            lowest: bytes_per_day,
            highest: bytes_per_day,
        };
        // Percent used, the levels, growth in thousandths a day; the parts and how many of them are marked.
        for (percent, warn, critical, pace, widths, marks) in [
            (
                61.0,
                60.0,
                85.0,
                None,
                &["60.0%", "1.0%", "24.0%", "15.0%"][..],
                2,
            ),
            (
                61.0,
                60.0,
                85.0,
                Some(10),
                &["60.0%", "1.0%", "7.0%", "17.0%", "15.0%"],
                2,
            ),
            (
                90.0,
                60.0,
                85.0,
                Some(500),
                &["60.0%", "25.0%", "5.0%", "10.0%"],
                2,
            ),
            (
                90.0,
                60.0,
                85.0,
                Some(-10),
                &["60.0%", "25.0%", "5.0%", "10.0%"],
                2,
            ),
            (60.0, 60.0, 60.0, None, &["60.0%", "40.0%"], 1),
            (0.0, 0.1, 100.0, None, &["0.1%", "99.9%"], 1),
            (120.0, 100.0, 100.0, None, &["100.0%"], 0),
        ] {
            let reading = Reading {
                level: Level::Warn,
                percent,
                used_bytes: 0,
                total_bytes: 1000,
                warn_percent: warn,
                critical_percent: critical,
            };
            let mut out = Markup::default();
            segments(&mut out, &reading, pace.map(growth).as_ref());
            let html = out.into_lines().replace('\n', " ");
            let found = html.split(" width=\"").skip(2);
            let found: Vec<&str> = found
                .map(|part| part.split('"').next().unwrap_or_default())
                .collect();
            assert_eq!(found, widths, "{percent} {pace:?}");
            assert_eq!(
                html.matches("border-right").count(),
                marks,
                "{percent} {pace:?}"
            );
        }
    }
}
