//! How full the storage is, as a bar with both levels marked.

use super::markup::Markup;
use crate::check::capacity::{Level, Reading};
use crate::wording;

/// From this level on its label ends below its mark, else it begins there: so it never leaves the bar.
const LABEL_LEFT_FROM: f64 = 40.0;

/// Draws the figure, the bar and the two levels.
pub(super) fn draw(out: &mut Markup, reading: &Reading) {
    let (class, ink, fill) = match reading.level {
        Level::Ok => ("to", "#067647", "#2da44e"),
        Level::Warn => ("ts", "#93540a", "#d98a0b"),
        Level::Critical => ("tn", "#b42318", "#d92d20"),
    };
    let percent = wording::percent_over(reading.percent, reading.limit());
    let (warn, critical) = (reading.warn_percent, reading.critical_percent);
    let free = reading.total_bytes.saturating_sub(reading.used_bytes);
    out.raw("<div style=\"padding: 4px 0 6px\"><span class=\"")
        .raw(class)
        .raw("\" style=\"font-size: 38px; line-height: 44px; font-weight: 700; color: ")
        .raw(ink)
        .raw("\">")
        .text(&percent)
        .raw("</span> <span class=\"mu\" style=\"color: #5d6b7e\">used, ")
        .text(&wording::bytes(free))
        .raw(" of ")
        .text(&wording::bytes(reading.total_bytes))
        .raw(" free</span></div>\n<div role=\"img\" aria-label=\"")
        .escaped(&format!(
            "{percent} used; warn over {}, critical over {}",
            wording::threshold(warn),
            wording::threshold(critical)
        ))
        .raw("\">");
    label(out, warn, "warn");
    segments(out, reading, fill);
    label(out, critical, "critical");
    out.raw("</div>\n");
}

/// The name of a level, next to where it is marked in the bar.
fn label(out: &mut Markup, level: f64, name: &str) {
    let words = format!("{name} {}", wording::threshold(level));
    let (before, after) = if level >= LABEL_LEFT_FROM {
        (words.as_str(), "&nbsp;")
    } else {
        ("&nbsp;", words.as_str())
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
fn segments(out: &mut Markup, reading: &Reading, fill: &str) {
    let (warn, critical) = (reading.warn_percent, reading.critical_percent);
    let used = reading.percent.clamp(0.0, 100.0);
    let mut ends = [used, warn, critical, 100.0];
    ends.sort_by(f64::total_cmp);
    open(out);
    let mut from = 0.0;
    for to in ends {
        if to - from < 0.05 {
            continue;
        }
        let (class, ground) = match to {
            to if to <= used => ("", fill),
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
