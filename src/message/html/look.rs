//! Colours: each with its twin for dark mode, and never the only thing that tells.

use super::super::document::Tone;

/// What a mail is in a word: the colour of its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Something is broken or about to be.
    Critical,
    /// Something wants attention.
    Warning,
    /// All is well again.
    Good,
    /// Nothing about the cluster.
    Neutral,
}

impl Mood {
    /// Behind white letters; the contrast is 4.5 at least (WCAG 2.2, success criterion 1.4.3).
    pub(super) fn ground(self) -> &'static str {
        match self {
            Mood::Critical => "#b42318",
            Mood::Warning => "#a15c07",
            Mood::Good => "#067647",
            Mood::Neutral => "#175cd3",
        }
    }
}

/// The class and the colour of a heading.
pub(super) fn of_heading(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Neutral => ("mu", "#5d6b7e"),
        Tone::New => ("tn", "#b42318"),
        Tone::Still => ("ts", "#93540a"),
        Tone::Over => ("to", "#067647"),
    }
}

/// The classes: what dark mode changes, and what a mail can do without. All that matters stands in the tags themselves, for
/// some programs drop this.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; supported-color-schemes: light dark }
.cd { border-radius: 10px }
.n { white-space: nowrap }
.q td { border-radius: 2px }
.r td { border-top: 1px solid #e6e9ee }
.r tr:first-child td { border-top: 0 }
@media (max-width: 520px) {
.pad { padding-left: 16px !important; padding-right: 16px !important }
.h { font-size: 21px !important }
.w tr { display: block; padding: 6px 0; border-top: 1px solid #e6e9ee }
.w tr:first-child { border-top: 0 }
.w td { display: inline; padding: 0 8px 0 0 !important; border: 0 !important }
}
@media (prefers-color-scheme: dark) {
.pg { background: #0d1117 !important }
.cd { background: #171c24 !important; color: #e6edf3 !important }
.mu { color: #9aa7b5 !important }
.tn { color: #ff8b80 !important }
.ts { color: #eab454 !important }
.to { color: #57cf80 !important }
.cb { background: #0d1117 !important; color: #e6edf3 !important }
.nt { background: #3a2d0c !important; color: #f5dfa6 !important }
.up { background: #14391f !important; color: #8ddb9f !important }
.z0 { background: #333b46 !important }
.z1 { background: #4a3b16 !important }
.z2 { background: #4d211f !important }
.tk { border-color: #e6edf3 !important }
.r td, .w tr { border-top-color: #2b333e }
}
";
