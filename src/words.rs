//! What mails say, in the reader's language. Pure: the admin's own wording comes as text.
//!
//! Each message has a name and stands in one file for each language, written in Fluent (projectfluent.org), which knows how
//! a language counts. An admin's file may replace any message; one that can't be used is left out, and ours is taken.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_syntax::ast::{
    CallArguments, Entry, Expression, InlineExpression, Pattern, PatternElement,
};
use fluent_syntax::{ast, parser, serializer};
use unic_langid::{LanguageIdentifier, langid};

/// A language that mails can be in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// `en`
    #[default]
    English,
    /// `de`
    German,
    /// `zh`: Chinese in simplified characters.
    Chinese,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 3] = [Language::English, Language::German, Language::Chinese];

    /// The name in the configuration, as in BCP 47.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
            Language::Chinese => "zh",
        }
    }

    fn id(self) -> LanguageIdentifier {
        match self {
            Language::English => langid!("en"),
            Language::German => langid!("de"),
            Language::Chinese => langid!("zh"),
        }
    }

    fn source(self) -> &'static str {
        match self {
            Language::English => include_str!("words/en.ftl"),
            Language::German => include_str!("words/de.ftl"),
            Language::Chinese => include_str!("words/zh.ftl"),
        }
    }
}

/// The messages of one language.
pub struct Words {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

/// The message of this name, with these values for its variables.
///
/// ```
/// # use petanotify::{say, words::{Language, Words}};
/// let words = Words::of(Language::English);
/// assert_eq!(say!(words, "minutes", number = 3), "3 min");
/// ```
#[macro_export]
macro_rules! say {
    ($words:expr, $name:literal $(, $variable:ident = $value:expr)* $(,)?) => {
        $words.say($name, &[$((stringify!($variable), $value.into())),*])
    };
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({})", self.language.as_str())
    }
}

impl Words {
    /// Our own wording.
    pub fn of(language: Language) -> Self {
        let mut bundle = FluentBundle::new_concurrent(vec![language.id()]);
        // Marks around each value would stand in subjects as well; names are isolated where they are drawn.
        bundle.set_use_isolating(false);
        let resource = match FluentResource::try_new(language.source().to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        bundle.add_resource_overriding(resource);
        Words { language, bundle }
    }

    /// Our wording with what an admin has written in its place, and what is wrong with that: each message that can't be used
    /// is left out.
    pub fn with(language: Language, replaced: &str) -> (Self, Vec<String>) {
        let mut words = Words::of(language);
        let (usable, problems) = usable(replaced, language);
        match FluentResource::try_new(usable) {
            Ok(resource) | Err((resource, _)) => words.bundle.add_resource_overriding(resource),
        }
        (words, problems)
    }

    /// See [`say!`].
    pub fn say(&self, name: &str, values: &[(&'static str, FluentValue<'_>)]) -> String {
        let mut arguments = FluentArgs::with_capacity(values.len());
        for (variable, value) in values {
            arguments.set(*variable, value.clone());
        }
        let pattern = self.bundle.get_message(name).and_then(|m| m.value());
        let mut problems = Vec::new();
        let said = pattern.map_or(Cow::Borrowed(name), |pattern| {
            self.bundle
                .format_pattern(pattern, Some(&arguments), &mut problems)
        });
        debug_assert!(
            pattern.is_some() && problems.is_empty(),
            "{name} in {}: {problems:?}",
            self.language.as_str()
        );
        said.into_owned()
    }
}

/// The variables of each message.
type Variables = BTreeMap<String, BTreeSet<String>>;

fn variables(resource: &ast::Resource<&str>) -> Variables {
    let messages = resource.body.iter().filter_map(|entry| match entry {
        Entry::Message(message) => {
            let mut found = BTreeSet::new();
            note(message.value.as_ref()?, &mut found);
            Some((message.id.name.to_owned(), found))
        }
        _ => None,
    });
    messages.collect()
}

fn note(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            note_expression(expression, found);
        }
    }
}

fn note_expression(expression: &Expression<&str>, found: &mut BTreeSet<String>) {
    match expression {
        Expression::Select { selector, variants } => {
            note_inline(selector, found);
            variants
                .iter()
                .for_each(|variant| note(&variant.value, found));
        }
        Expression::Inline(inline) => note_inline(inline, found),
    }
}

fn note_inline(inline: &InlineExpression<&str>, found: &mut BTreeSet<String>) {
    let mut note_arguments = |arguments: &CallArguments<&str>| {
        arguments
            .positional
            .iter()
            .for_each(|argument| note_inline(argument, found));
    };
    match inline {
        InlineExpression::VariableReference { id } => {
            found.insert(id.name.to_owned());
        }
        InlineExpression::FunctionReference { arguments, .. } => note_arguments(arguments),
        InlineExpression::TermReference {
            arguments: Some(arguments),
            ..
        } => note_arguments(arguments),
        InlineExpression::Placeable { expression } => note_expression(expression, found),
        InlineExpression::TermReference {
            arguments: None, ..
        }
        | InlineExpression::MessageReference { .. }
        | InlineExpression::StringLiteral { .. }
        | InlineExpression::NumberLiteral { .. } => {}
    }
}

/// Of what an admin has written, the messages that can take the place of ours, and what is wrong with the others.
fn usable(written: &str, language: Language) -> (String, Vec<String>) {
    let ours = match parser::parse(language.source()) {
        Ok(resource) | Err((resource, _)) => variables(&resource),
    };
    let (mut theirs, errors) = match parser::parse(written) {
        Ok(resource) => (resource, Vec::new()),
        Err((resource, errors)) => (resource, errors),
    };
    let mut problems: Vec<String> = (errors.iter())
        .map(|error| format!("line {}: {}", line(written, error.pos.start), error.kind))
        .collect();
    let found = variables(&theirs);
    theirs.body.retain(|entry| match entry {
        Entry::Message(message) => {
            let name = message.id.name;
            let problem = problem(name, found.get(name), &ours);
            let is_fine = problem.is_none();
            problems.extend(problem);
            is_fine
        }
        Entry::Term(_) => true,
        Entry::Comment(_)
        | Entry::GroupComment(_)
        | Entry::ResourceComment(_)
        | Entry::Junk { .. } => false,
    });
    (serializer::serialize(&theirs), problems)
}

/// Why a message can't take the place of ours.
fn problem(name: &str, used: Option<&BTreeSet<String>>, ours: &Variables) -> Option<String> {
    let Some(known) = ours.get(name) else {
        let nearest = ours
            .keys()
            .max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name)));
        let hint = nearest.map_or(String::new(), |nearest| {
            format!("; the nearest is {nearest}")
        });
        return Some(format!("there is no message {name}{hint}"));
    };
    let Some(used) = used else {
        return Some(format!("{name} has no text"));
    };
    let unknown = used.difference(known).next()?;
    let known: Vec<String> = known
        .iter()
        .map(|variable| format!("${variable}"))
        .collect();
    let known = match known.is_empty() {
        true => "none".to_owned(),
        false => known.join(", "),
    };
    Some(format!(
        "{name}: there is no ${unknown} in it; there is {known}"
    ))
}

/// The line of this byte, from 1.
fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_language_has_every_message_with_the_same_variables() {
        let of = |language: Language| variables(&parser::parse(language.source()).unwrap());
        let english = of(Language::English);
        assert!(english.len() > 3);
        for language in Language::ALL {
            assert_eq!(of(language), english, "{}", language.as_str());
        }
    }

    #[test]
    fn each_language_counts_in_its_own_way() {
        let said = |language, number: u32| say!(Words::of(language), "osds", number = number);
        assert_eq!(said(Language::English, 1), "1 OSD");
        assert_eq!(said(Language::English, 0), "0 OSDs");
        assert_eq!(said(Language::German, 2), "2 OSDs");
        assert_eq!(said(Language::Chinese, 1), "1 个 OSD");
    }

    #[test]
    fn what_an_admin_has_written_takes_the_place_of_ours() {
        let (words, problems) = Words::with(
            Language::English,
            "-disk = disk\nosds = { $number ->\n    [one] a { -disk }\n   *[other] { $number } { -disk }s\n}\n",
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(say!(words, "osds", number = 1), "a disk");
        assert_eq!(say!(words, "osds", number = 5), "5 disks");
        assert_eq!(say!(words, "minutes", number = 3), "3 min");
    }

    #[test]
    fn what_is_broken_is_told_and_ours_is_taken() {
        for (written, problem) in [
            ("osds = { $number", "line 1: "),
            (
                "minutes = 1\nosds = { $numbr } OSDs",
                "osds: there is no $numbr in it; there is $number",
            ),
            (
                "minuts = 3",
                "there is no message minuts; the nearest is minutes",
            ),
            ("osds =\n    .title = x", "osds has no text"),
        ] {
            let (words, problems) = Words::with(Language::English, written);
            assert!(
                problems.len() == 1 && problems[0].starts_with(problem),
                "{written}: {problems:?}"
            );
            assert_eq!(say!(words, "osds", number = 2), "2 OSDs", "{written}");
        }
    }
}
