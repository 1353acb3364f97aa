//! A mail's plain text, complete without the other part: 72 columns wide, lines ended by `\n`. Pure.

use super::document::{Block, Document, Line};
use crate::say;
use crate::text::wrap;
use crate::words::Words;

/// Width of the text, in columns.
pub(crate) const TEXT_COLUMNS: usize = 72;

/// What the lines of a section are indented by.
const INDENT: usize = 2;

/// Draws the whole text.
pub(crate) fn draw(document: &Document, words: &Words) -> String {
    let mut out = String::new();
    for block in &document.blocks {
        if !out.is_empty() {
            out.push('\n');
        }
        match block {
            Block::Notice(words) | Block::Paragraph(words) => {
                let lines = wrap(words, TEXT_COLUMNS);
                lines.iter().for_each(|line| push(&mut out, 0, line));
            }
            Block::Section { heading, lines, .. } => {
                let heading = say!(words, "heading", heading = heading.as_str());
                push(&mut out, 0, &heading);
                lines.iter().for_each(|line| push_line(&mut out, line));
            }
            Block::Footer(lines) => {
                // The line `-- ` (with the blank) begins a signature: mail programs set it apart (RFC 3676, section 4.3).
                push(&mut out, 0, "-- ");
                lines.iter().for_each(|line| push(&mut out, 0, line));
            }
        }
    }
    // Names are harmless already; what a damaged state holds may be anything, and RFC 5321 (section 2.3.8) forbids a bare CR.
    let printable = |c: char| if c.is_control() && c != '\n' { '?' } else { c };
    out.chars().map(printable).collect()
}

fn push_line(out: &mut String, line: &Line) {
    match line {
        Line::Row(words) | Line::Command(words) => push(out, INDENT, words),
        Line::Sentence(words) => {
            let hanging = 2 * INDENT;
            let indents = std::iter::once(INDENT).chain(std::iter::repeat(hanging));
            for (indent, line) in indents.zip(wrap(words, TEXT_COLUMNS - hanging)) {
                push(out, indent, &line);
            }
        }
        Line::Below(column, words) => {
            let indent = INDENT + column;
            for line in wrap(words, TEXT_COLUMNS.saturating_sub(indent)) {
                push(out, indent, &line);
            }
        }
    }
}

fn push(out: &mut String, indent: usize, line: &str) {
    out.extend(std::iter::repeat_n(' ', indent));
    out.push_str(line);
    out.push('\n');
}
