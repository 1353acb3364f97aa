//! Why somebody who was asked gave no answer, with what to do about it kept apart from what went wrong.

use std::error::Error;
use std::fmt;

/// A failure of an edge. It prints as one text, `words; advice`; who wants them apart takes [`apart`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it is a case of.
    pub case: Case,
    /// What went wrong, in the other side's words where it had any.
    pub words: String,
    /// What to do about it, where causes can be told apart.
    pub advice: Option<String>,
}

/// The cases that have a remedy of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// The program to ask with is not there.
    NotInstalled,
    /// The key or token can't be read, is missing or unknown.
    NotLetIn,
    /// The key or token is known, and may not do this.
    NotAllowed,
    /// Nobody answers.
    Unreachable,
    /// None of these.
    Other,
}

impl Trouble {
    /// With advice.
    pub fn new(case: Case, words: impl Into<String>, advice: impl Into<String>) -> Trouble {
        Trouble {
            case,
            words: words.into(),
            advice: Some(advice.into()),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl Error for Trouble {}

/// An error with its advice taken off: whatever was added around the [`Trouble`] in it stays in the words. One that has none
/// in it is all words.
pub fn apart(error: &anyhow::Error) -> Trouble {
    let whole = format!("{error:#}");
    let trouble = error.downcast_ref::<Trouble>();
    let advice = trouble.and_then(|trouble| trouble.advice.clone());
    let words = match &advice {
        Some(advice) => whole.strip_suffix(&format!("; {advice}")),
        None => None,
    };
    Trouble {
        case: trouble.map_or(Case::Other, |trouble| trouble.case),
        words: words.unwrap_or(&whole).to_owned(),
        advice,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn advice_is_taken_off_and_what_was_added_stays() {
        let trouble = Trouble::new(Case::Unreachable, "timed out; twice", "is it running?");
        assert_eq!(trouble.to_string(), "timed out; twice; is it running?");
        let error = anyhow!(trouble).context("ceph status");
        assert_eq!(
            format!("{error:#}"),
            "ceph status: timed out; twice; is it running?"
        );
        assert_eq!(
            apart(&error),
            Trouble::new(
                Case::Unreachable,
                "ceph status: timed out; twice",
                "is it running?"
            )
        );
        let plain = Trouble {
            case: Case::Other,
            words: "a: b; c".to_owned(),
            advice: None,
        };
        assert_eq!(apart(&anyhow!("b; c").context("a")), plain);
    }
}
