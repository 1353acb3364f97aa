//! A mail's HTML part: the same blocks as the plain text, with a head in the colour of the matter and pictures. Pure.
//!
//! Mail programs know little and ask for caution: tables carry the layout, what matters is styled in the tags themselves, and
//! nothing is fetched from anywhere. All words are escaped by [`markup`], whoever they are from.

mod bar;
pub(crate) mod look;
mod map;
mod markup;
#[cfg(test)]
pub(crate) mod tests;

use self::look::{Mood, STYLE, of_heading};
use self::map::Map;
use self::markup::Markup;
use super::document::{Block, Document, Line, Tone};
use crate::alert::{Alert, Report};
use crate::words::{Language, Words};

/// From about 102,000 bytes on Gmail cuts a mail off and hides the rest behind a link.
const MOST_BYTES: usize = 100_000;

/// What stands above the text.
#[derive(Debug, Clone)]
pub(crate) struct Head<'a> {
    /// The subject of the mail.
    pub(crate) subject: &'a str,
    /// The name of the cluster.
    pub(crate) cluster: &'a str,
    /// What kind of mail it is, in a word or two.
    pub(crate) kind: &'a str,
    /// What it is about; the subject without the cluster.
    pub(crate) headline: &'a str,
    /// When that was.
    pub(crate) when: &'a str,
    /// How grave it is.
    pub(crate) mood: Mood,
}

/// Draws the whole part, with pictures of what the alert is about. `None` where it would be so large that mailboxes cut it off:
/// then the plain text does better.
pub(crate) fn draw(
    head: &Head<'_>,
    document: &Document,
    alert: Option<&Alert>,
    words: &Words,
) -> Option<String> {
    [alert, None].into_iter().find_map(|alert| {
        let html = page(head, document, alert, words);
        (html.len() < MOST_BYTES).then_some(html)
    })
}

fn page(head: &Head<'_>, document: &Document, alert: Option<&Alert>, words: &Words) -> String {
    let mut out = Markup::default();
    open(&mut out, head, words.language());
    let picture = alert.map(|alert| (place_of_picture(document, alert), alert));
    for (place, block) in document.blocks.iter().enumerate() {
        if let Some((_, alert)) = picture.filter(|(at, _)| *at == place) {
            draw_picture(&mut out, alert, words);
        }
        draw_block(&mut out, block);
    }
    out.raw("</table>\n<!--[if mso]></td></tr></table><![endif]-->\n</td></tr></table>\n</body>\n</html>\n");
    out.into_lines()
}

/// More lines than this are no longer seen at a glance.
const FEW: usize = 12;

/// Before which block the picture is seen: of how full the storage is, and of a long list, before all the lines; else they
/// come first, for they tell more.
fn place_of_picture(document: &Document, alert: &Alert) -> usize {
    let is_paragraph = |block: &Block| matches!(block, Block::Paragraph(_));
    let first = document.blocks.iter().position(is_paragraph);
    let first = first.map_or(0, |place| place + 1);
    let news = |block: &Block| match block {
        Block::Section { tone, lines, .. } if *tone != Tone::Neutral => lines.len(),
        Block::Section { .. } | Block::Notice(_) | Block::Paragraph(_) | Block::Footer(_) => 0,
    };
    let lines: usize = document.blocks.iter().map(news).sum();
    if lines > FEW || matches!(alert.report, Report::Capacity(_)) {
        return first;
    }
    let last_news = document.blocks.iter().rposition(|block| news(block) > 0);
    // What is said below a section belongs to it.
    let is_rest = |block: &Block| {
        matches!(
            block,
            Block::Section {
                tone: Tone::Neutral,
                ..
            } | Block::Footer(_)
        )
    };
    let from = last_news.map_or(first, |place| place + 1);
    let rest = document.blocks.iter().skip(from).position(is_rest);
    rest.map_or(document.blocks.len(), |place| from + place)
}

// Without quotes: a line may be broken between these words, but not within a text of CSS.
const FONT: &str = "-apple-system, Segoe UI, Roboto, Helvetica Neue, Noto Sans, Arial, sans-serif";
const MONOSPACE: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, Liberation Mono, monospace";

fn open(out: &mut Markup, head: &Head<'_>, language: Language) {
    out.raw("<!DOCTYPE html>\n<html lang=\"")
        .raw(language.in_full())
        .raw("\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"supported-color-schemes\" content=\"light dark\">\n\
             <meta name=\"format-detection\" content=\"telephone=no, date=no, address=no, email=no, url=no\">\n<title>")
        .escaped(head.subject)
        .raw("</title>\n<style>\n")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body class=\"pg\" style=\"margin: 0; padding: 0; background: #eef1f5; -webkit-text-size-adjust: 100%\">\n\
              <table role=\"presentation\" class=\"pg\" width=\"100%\" cellspacing=\"0\" cellpadding=\"0\" bgcolor=\"#eef1f5\">\
              <tr><td align=\"center\" style=\"padding: 16px 8px\">\n\
              <!--[if mso]><table role=\"presentation\" width=\"640\"><tr><td><![endif]-->\n\
              <table role=\"presentation\" class=\"cd\" width=\"100%\" cellspacing=\"0\" cellpadding=\"0\" bgcolor=\"#ffffff\" \
              style=\"max-width: 640px; overflow: hidden; text-align: left; overflow-wrap: anywhere; color: #1f2a37; font: 15px/22px ")
        .raw(FONT)
        .raw("\">\n<tr><td class=\"pad\" bgcolor=\"")
        .raw(head.mood.ground())
        .raw("\" style=\"padding: 20px 32px 22px; color: #ffffff\">\n<div style=\"font-size: 13px; line-height: 20px\"><b>")
        .text(head.cluster)
        .raw("</b> &middot; ")
        .text(head.kind)
        .raw("</div>\n<h1 class=\"h\" style=\"margin: 4px 0 6px; font-size: 25px; line-height: 1.25; font-weight: 700\">")
        .text(&as_headline(head.headline, language))
        .raw("</h1>\n<div style=\"font-size: 13px; line-height: 20px\">")
        .text(head.when)
        .raw("</div>\n</td></tr>\n");
}

/// An English headline begins with a capital, unless that would change the name of the program. In the other languages what
/// begins without one is a name.
fn as_headline(words: &str, language: Language) -> String {
    let is_ours = language == Language::English && !words.starts_with(env!("CARGO_PKG_NAME"));
    let mut letters = words.chars();
    match letters.next() {
        Some(first) if is_ours => first.to_uppercase().chain(letters).collect(),
        _ => words.to_owned(),
    }
}

fn draw_picture(out: &mut Markup, alert: &Alert, words: &Words) {
    if let Report::Capacity(reading) = &alert.report {
        row(out, "6px 32px 6px");
        bar::draw(out, reading, alert.circumstances.growth.as_ref(), words);
        out.raw("</td></tr>\n");
        return;
    }
    let map = Map::of(alert, words);
    if !map.is_empty() {
        row(out, "0 32px 6px");
        map.draw(out, words);
        out.raw("</td></tr>\n");
    }
}

/// Begins a row of the page.
fn row(out: &mut Markup, padding: &str) {
    out.raw("<tr><td class=\"pad\" style=\"padding: ")
        .raw(padding)
        .raw("\">\n");
}

fn draw_block(out: &mut Markup, block: &Block) {
    match block {
        Block::Notice(words) => {
            row(out, "20px 32px 0");
            out.raw("<table role=\"presentation\" width=\"100%\" cellspacing=\"0\" cellpadding=\"0\"><tr>\
                     <td class=\"nt\" bgcolor=\"#fdf3d8\" style=\"padding: 10px 14px; border-radius: 6px; color: #6b4a05\">")
                .text(words)
                .raw("</td></tr></table>");
        }
        Block::Paragraph(words) => {
            row(out, "18px 32px 4px");
            out.text(words);
        }
        Block::Section {
            tone,
            heading,
            lines,
        } => {
            row(out, "18px 32px 2px");
            draw_section(out, *tone, heading, lines);
        }
        Block::Footer(lines) => {
            out.raw("<tr><td class=\"pad mu\" style=\"padding: 22px 32px 24px; font-size: 12px; line-height: 18px; color: #5d6b7e\">");
            for line in lines {
                out.text(line).raw("<br>\n");
            }
        }
    }
    out.raw("</td></tr>\n");
}

/// A row of a section: its columns, and what is said below.
struct Row<'a> {
    columns: Vec<&'a str>,
    below: Vec<&'a str>,
}

fn draw_section(out: &mut Markup, tone: Tone, heading: &str, lines: &[Line]) {
    let (class, ink) = of_heading(tone);
    out.raw("<div class=\"")
        .raw(class)
        .raw("\" style=\"padding: 0 0 4px; font-size: 13px; font-weight: 700; color: ")
        .raw(ink)
        .raw("\">")
        .text(heading)
        .raw("</div>\n");
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut commands: Vec<&str> = Vec::new();
    for line in lines {
        match line {
            Line::Command(words) => commands.push(words),
            Line::Sentence(words) => rows.push(Row {
                columns: vec![words],
                below: Vec::new(),
            }),
            Line::Row(words) => match (words.starts_with(' '), rows.last_mut()) {
                (true, Some(above)) => above.below.push(words),
                _ => rows.push(Row {
                    columns: columns(words),
                    below: Vec::new(),
                }),
            },
            Line::Below(_, words) => match rows.last_mut() {
                Some(above) => above.below.push(words),
                None => rows.push(Row {
                    columns: vec![words],
                    below: Vec::new(),
                }),
            },
        }
    }
    if !rows.is_empty() {
        draw_rows(out, tone, &rows);
    }
    if !commands.is_empty() {
        draw_commands(out, &commands);
    }
}

/// The columns of a line of plain text.
fn columns(line: &str) -> Vec<&str> {
    line.split("  ")
        .map(str::trim)
        .filter(|column| !column.is_empty())
        .collect()
}

fn draw_rows(out: &mut Markup, tone: Tone, rows: &[Row<'_>]) {
    let most = rows.iter().map(|row| row.columns.len()).max().unwrap_or(1);
    let is_short = |column: &str| column.chars().count() <= 20;
    // What is left of the width is the last column's, unless others need it.
    let others_are_short = rows.iter().all(|row| {
        row.columns
            .split_last()
            .is_none_or(|(_, others)| others.iter().all(|column| is_short(column)))
    });
    // On a telephone more than two columns follow each other like words.
    let class = if most > 2 { "r w" } else { "r" };
    out.raw("<table role=\"presentation\" class=\"")
        .raw(class)
        .raw("\" width=\"100%\" cellspacing=\"0\" cellpadding=\"0\">\n");
    for row in rows {
        out.raw("<tr valign=\"top\">");
        for (place, column) in row.columns.iter().enumerate() {
            let is_last = place + 1 == row.columns.len();
            out.raw("<td style=\"padding: 5px ").raw(if is_last {
                "0 5px 0"
            } else {
                "16px 5px 0"
            });
            if !is_last && is_short(column) {
                out.raw("; white-space: nowrap");
            }
            out.raw("\"");
            if is_last && row.columns.len() < most {
                out.raw(&format!(" colspan=\"{}\"", most - place));
            } else if is_last && others_are_short {
                out.raw(" width=\"100%\"");
            }
            out.raw(">");
            match (place, tone) {
                (0, Tone::Neutral) if most > 1 => out
                    .raw("<span class=\"mu\" style=\"color: #5d6b7e\">")
                    .text(column)
                    .raw("</span>"),
                (0, Tone::New | Tone::Still | Tone::Over) if row.columns.len() > 1 => {
                    out.raw("<b>").text(column).raw("</b>")
                }
                _ => out.text(column),
            };
            if is_last {
                for words in &row.below {
                    out.raw("<div class=\"mu\" style=\"color: #5d6b7e\">")
                        .text(words.trim())
                        .raw("</div>");
                }
            }
            out.raw("</td>");
        }
        out.raw("</tr>\n");
    }
    out.raw("</table>\n");
}

fn draw_commands(out: &mut Markup, commands: &[&str]) {
    out.raw("<table role=\"presentation\" width=\"100%\" cellspacing=\"0\" cellpadding=\"0\"><tr>\
             <td class=\"cb\" bgcolor=\"#f1f4f8\" style=\"padding: 9px 14px; border-radius: 6px; font: 13px/22px ")
        .raw(MONOSPACE)
        .raw("\">");
    for (place, command) in commands.iter().enumerate() {
        if place > 0 {
            out.raw("<br>\n");
        }
        out.text(command);
    }
    out.raw("</td></tr></table>\n");
}
