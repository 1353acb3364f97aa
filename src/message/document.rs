//! What a mail says, block by block, before [`plain`](super::plain) draws it as text: the wording stands in one place, and
//! whoever adds a paragraph or a section need not know how it is drawn.

/// What a mail says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Document {
    /// In the order in which they are read.
    pub(crate) blocks: Vec<Block>,
}

/// A part that is set apart from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// Something about the mail itself, before anything about the cluster.
    Notice(String),
    /// Whole sentences, of any length.
    Paragraph(String),
    /// A heading and lines below it; there is one at least.
    Section {
        /// What it is about.
        tone: Tone,
        /// Without a colon.
        heading: String,
        /// In order.
        lines: Vec<Line>,
    },
    /// Who has sent it.
    Footer(Vec<String>),
}

/// What a section is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Facts and advice.
    Neutral,
    /// What has gone wrong and is news.
    New,
    /// What was told to be wrong before and still is.
    Still,
    /// What is over.
    Over,
}

/// A line of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Columns, two blanks or more apart. One that begins with a blank goes on with the row above it.
    Row(String),
    /// A sentence of any length.
    Sentence(String),
    /// More about the row above, of any length; in plain text it stands below the column that begins here.
    Below(usize, String),
    /// What can be typed into a shell.
    Command(String),
}

impl From<String> for Line {
    fn from(row: String) -> Self {
        Line::Row(row)
    }
}

impl Document {
    pub(crate) fn notice(&mut self, words: &str) {
        self.blocks.push(Block::Notice(words.to_owned()));
    }

    pub(crate) fn paragraph(&mut self, words: &str) {
        self.blocks.push(Block::Paragraph(words.to_owned()));
    }

    /// A heading and lines; nothing at all where there are no lines.
    pub(crate) fn section<L: Into<Line>>(
        &mut self,
        tone: Tone,
        heading: &str,
        lines: impl IntoIterator<Item = L>,
    ) {
        let lines: Vec<Line> = lines.into_iter().map(L::into).collect();
        if !lines.is_empty() {
            let heading = heading.to_owned();
            self.blocks.push(Block::Section {
                tone,
                heading,
                lines,
            });
        }
    }

    pub(crate) fn footer(&mut self, lines: Vec<String>) {
        self.blocks.push(Block::Footer(lines));
    }
}
