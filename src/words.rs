//! What mails say, in the reader's language. Pure: the admin's own wording comes as text.
//!
//! Each message has a name and stands in one file for each language, written in Fluent (projectfluent.org), which knows how
//! a language counts. An admin's file may replace any message; one that can't be used is left out, and ours is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use fluent_syntax::{ast, parser, serializer};
use unic_langid::{LanguageIdentifier, langid};

use crate::text::one_line;

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

    /// The name with the script, for programs that choose their letters by it (BCP 47, section 4.1).
    pub fn in_full(self) -> &'static str {
        match self {
            Language::Chinese => "zh-Hans",
            Language::English | Language::German => self.as_str(),
        }
    }

    /// The language of this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Language::ALL.into_iter();
        all.find(|language| language.as_str() == name)
    }

    fn id(self) -> LanguageIdentifier {
        match self {
            Language::English => langid!("en"),
            Language::German => langid!("de"),
            Language::Chinese => langid!("zh"),
        }
    }

    /// All messages, in Fluent.
    pub fn catalogue(self) -> &'static str {
        match self {
            Language::English => include_str!("words/en.ftl"),
            Language::German => include_str!("words/de.ftl"),
            Language::Chinese => include_str!("words/zh.ftl"),
        }
    }
}

/// A replaced message has at most so many bytes: it may stand in every line of a mail.
const MOST_BYTES: usize = 2000;

/// The messages of one language. They are read when the first of them is said: a pass that mails nothing needs none.
pub struct Words {
    language: Language,
    ours: LazyLock<Bundle, Box<dyn FnOnce() -> Bundle + Send>>,
    /// Ours as well, but for what an admin has replaced.
    theirs: Option<LazyLock<Bundle, Box<dyn FnOnce() -> Bundle + Send>>>,
}

type Bundle = FluentBundle<FluentResource>;

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({})", self.language.as_str())
    }
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

impl Words {
    /// Our own wording.
    pub fn of(language: Language) -> Self {
        Words {
            language,
            ours: LazyLock::new(Box::new(move || bundle(language))),
            theirs: None,
        }
    }

    /// Our wording but for what an admin has written in its place. `written` is asked when the first message is said, and
    /// `tell` then hears what is wrong with that text: each message that can't be used is left out.
    pub fn with(
        language: Language,
        written: impl FnOnce() -> String + Send + 'static,
        tell: impl FnOnce(Vec<String>) + Send + 'static,
    ) -> Self {
        let theirs = move || {
            let Replaced {
                usable, problems, ..
            } = replaced(&written(), language);
            tell(problems);
            let mut bundle = bundle(language);
            bundle.add_resource_overriding(resource(usable));
            bundle
        };
        Words {
            theirs: Some(LazyLock::new(Box::new(theirs))),
            ..Words::of(language)
        }
    }

    /// The language that they are in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// See [`say!`]. One line without control characters, so that no text can end a header or a row.
    pub fn say(&self, name: &str, values: &[(&'static str, FluentValue<'_>)]) -> String {
        let mut arguments = FluentArgs::with_capacity(values.len());
        for (variable, value) in values {
            arguments.set(*variable, value.clone());
        }
        // What a look at the text can't find, such as messages that go round in a circle, shows when it is said.
        let said = match self
            .theirs
            .as_ref()
            .map(|theirs| format(theirs, name, &arguments))
        {
            Some(Ok(said)) => said,
            Some(Err(_)) | None => {
                let said = format(&self.ours, name, &arguments);
                debug_assert!(
                    said.is_ok(),
                    "{name} in {}: {said:?}",
                    self.language.as_str()
                );
                said.unwrap_or_else(|_| name.to_owned())
            }
        };
        match said.contains(char::is_control) {
            true => one_line(&said),
            false => said,
        }
    }
}

fn bundle(language: Language) -> Bundle {
    let mut bundle = FluentBundle::new_concurrent(vec![language.id()]);
    // Marks around each value would stand in subjects as well; names are isolated where they are drawn.
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource(language.catalogue().to_owned()));
    bundle
}

fn resource(text: String) -> FluentResource {
    match FluentResource::try_new(text) {
        Ok(resource) | Err((resource, _)) => resource,
    }
}

fn format(bundle: &Bundle, name: &str, arguments: &FluentArgs<'_>) -> Result<String, String> {
    let pattern = (bundle.get_message(name)).and_then(|message| message.value());
    let pattern = pattern.ok_or("there is no such message")?;
    let mut problems = Vec::new();
    let said = bundle.format_pattern(pattern, Some(arguments), &mut problems);
    match problems.first() {
        None => Ok(said.into_owned()),
        Some(problem) => Err(problem.to_string()),
    }
}

/// The variables of each message.
type Variables = BTreeMap<String, BTreeSet<String>>;

fn variables(resource: &ast::Resource<&str>) -> Variables {
    let messages = resource.body.iter().filter_map(|entry| match entry {
        Entry::Message(message) => {
            let mut found = Needs::default();
            note(message.value.as_ref()?, &mut found);
            Some((message.id.name.to_owned(), found.variables))
        }
        _ => None,
    });
    messages.collect()
}

/// What a message needs besides its text.
#[derive(Default)]
struct Needs {
    variables: BTreeSet<String>,
    /// Other messages, terms as `-name`, and functions as `NAME()`.
    others: BTreeSet<String>,
}

fn note(pattern: &Pattern<&str>, found: &mut Needs) {
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            note_expression(expression, found);
        }
    }
}

fn note_expression(expression: &Expression<&str>, found: &mut Needs) {
    match expression {
        Expression::Select { selector, variants } => {
            note_inline(selector, found);
            for variant in variants {
                note(&variant.value, found);
            }
        }
        Expression::Inline(inline) => note_inline(inline, found),
    }
}

fn note_inline(inline: &InlineExpression<&str>, found: &mut Needs) {
    let attribute = |name: &Option<ast::Identifier<&str>>| {
        (name.as_ref()).map_or(String::new(), |attribute| format!(".{}", attribute.name))
    };
    match inline {
        InlineExpression::VariableReference { id } => {
            found.variables.insert(id.name.to_owned());
        }
        InlineExpression::FunctionReference { id, .. } => {
            found.others.insert(format!("{}()", id.name));
        }
        // What is handed to a term are constants alone.
        InlineExpression::TermReference {
            id, attribute: of, ..
        } => {
            found
                .others
                .insert(format!("-{}{}", id.name, attribute(of)));
        }
        InlineExpression::MessageReference { id, attribute: of } => {
            found.others.insert(format!("{}{}", id.name, attribute(of)));
        }
        InlineExpression::Placeable { expression } => note_expression(expression, found),
        InlineExpression::StringLiteral { .. } | InlineExpression::NumberLiteral { .. } => {}
    }
}

/// What becomes of the text that an admin has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// How many of our messages it replaces.
    pub messages: usize,
    /// What is wrong with the rest, a line each.
    pub problems: Vec<String>,
    usable: String,
}

/// Of what an admin has written, the messages that can take the place of ours, and what is wrong with the others.
pub fn replaced(written: &str, language: Language) -> Replaced {
    // Some editors begin a file with it.
    let written = written.strip_prefix('\u{feff}').unwrap_or(written);
    let ours = match parser::parse(language.catalogue()) {
        Ok(resource) | Err((resource, _)) => variables(&resource),
    };
    let (mut theirs, errors) = match parser::parse(written) {
        Ok(resource) => (resource, Vec::new()),
        Err((resource, errors)) => (resource, errors),
    };
    let mut problems: Vec<String> = (errors.iter())
        .map(|error| format!("line {}: {}", line(written, error.pos.start), error.kind))
        .collect();
    let terms = theirs.body.iter().filter_map(|entry| match entry {
        Entry::Term(term) => Some(format!("-{}", term.id.name)),
        _ => None,
    });
    let known = Known {
        terms: terms.collect(),
        messages: ours,
    };
    theirs.body.retain(|entry| {
        let problem = match entry {
            Entry::Message(message) => known.problem_of_message(message),
            Entry::Term(term) => known.problem_of(
                &format!("-{}", term.id.name),
                &term.value,
                &BTreeSet::new(),
                "a term",
            ),
            Entry::Comment(_)
            | Entry::GroupComment(_)
            | Entry::ResourceComment(_)
            | Entry::Junk { .. } => return false,
        };
        let is_fine = problem.is_none();
        problems.extend(problem);
        is_fine
    });
    let names = theirs.body.iter().filter_map(|entry| match entry {
        Entry::Message(message) => Some(message.id.name),
        _ => None,
    });
    Replaced {
        messages: BTreeSet::from_iter(names).len(),
        usable: serializer::serialize(&theirs),
        problems,
    }
}

/// What an admin's messages may be made of.
struct Known {
    messages: Variables,
    /// Theirs, with the dash.
    terms: BTreeSet<String>,
}

impl Known {
    /// Why a message can't take the place of ours.
    fn problem_of_message(&self, message: &ast::Message<&str>) -> Option<String> {
        let name = message.id.name;
        let Some(variables) = self.messages.get(name) else {
            let likeness = |other: &str| strsim::jaro(other, name);
            let nearest = (self.messages.keys())
                .max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
            let hint = nearest.map_or(String::new(), |nearest| {
                format!("; the nearest is {nearest}")
            });
            return Some(format!("there is no message {name}{hint}"));
        };
        let Some(pattern) = &message.value else {
            return Some(format!("{name} has no text"));
        };
        self.problem_of(name, pattern, variables, "it")
    }

    fn problem_of(
        &self,
        name: &str,
        pattern: &Pattern<&str>,
        variables: &BTreeSet<String>,
        it: &str,
    ) -> Option<String> {
        let mut needs = Needs::default();
        note(pattern, &mut needs);
        if let Some(unknown) = needs.variables.difference(variables).next() {
            let known = variables.iter().map(|variable| format!("${variable}"));
            let known = match Vec::from_iter(known) {
                known if known.is_empty() => "none".to_owned(),
                known => known.join(", "),
            };
            return Some(format!(
                "{name}: there is no ${unknown} in {it}; there is {known}"
            ));
        }
        let is_known = |other: &&String| {
            self.terms.contains(*other) || self.messages.contains_key(other.as_str())
        };
        if let Some(unknown) = needs.others.iter().find(|other| !is_known(other)) {
            return Some(format!("{name}: there is no {unknown}"));
        }
        let long = length(pattern);
        (long > MOST_BYTES).then(|| format!("{name} has {long} bytes; allowed: {MOST_BYTES}"))
    }
}

/// The bytes of a text, with those of its variants.
fn length(pattern: &Pattern<&str>) -> usize {
    let elements = pattern.elements.iter().map(|element| match element {
        PatternElement::TextElement { value } => value.len(),
        PatternElement::Placeable {
            expression: Expression::Select { variants, .. },
        } => variants.iter().map(|variant| length(&variant.value)).sum(),
        PatternElement::Placeable {
            expression: Expression::Inline(InlineExpression::StringLiteral { value }),
        } => value.len(),
        PatternElement::Placeable { .. } => 1,
    });
    elements.sum()
}

/// The line of this byte, from 1.
fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// All messages with their variables.
    pub(crate) fn messages() -> BTreeMap<String, BTreeSet<String>> {
        variables(&parser::parse(Language::English.catalogue()).unwrap())
    }

    /// All of our source but for the messages.
    fn source(folder: &Path) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                text.push_str(&source(&path));
            } else if path.extension().is_some_and(|end| end == "rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
        text
    }

    #[test]
    fn every_message_is_said_somewhere_and_what_is_said_is_one() {
        let source = source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        let messages = messages();
        let unsaid = |name: &&String| !source.contains(&format!("\"{name}\""));
        let unsaid: Vec<&String> = messages.keys().filter(unsaid).collect();
        assert!(unsaid.is_empty(), "nobody says {unsaid:?}");
        let said = source.split(concat!("say", "!(")).skip(1);
        let said = said.filter_map(|call| call.split('"').nth(1));
        let said: BTreeSet<&str> = said.collect();
        assert!(said.len() > 100, "{said:?}");
        for name in said {
            assert!(messages.contains_key(name), "there is no message {name}");
        }
    }

    #[test]
    fn every_language_has_every_message_with_the_same_variables() {
        let of = |language: Language| variables(&parser::parse(language.catalogue()).unwrap());
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

    /// Our words with this in their place, and what was said to be wrong with it.
    fn replacing(written: &str) -> (Words, Vec<String>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (text, tell) = (written.to_owned(), Arc::clone(&told));
        let words = Words::with(
            Language::English,
            || text,
            move |problems| *tell.lock().unwrap() = problems,
        );
        say!(words, "osds", number = 1);
        let told = told.lock().unwrap().clone();
        (words, told)
    }

    #[test]
    fn what_an_admin_has_written_takes_the_place_of_ours() {
        let (words, problems) = replacing(
            "\u{feff}-disk = disk\nosds = { $number ->\n    [one] a { -disk }\n   *[other] { $number } { -disk }s\n}\n",
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(say!(words, "osds", number = 1), "a disk");
        assert_eq!(say!(words, "osds", number = 5), "5 disks");
        assert_eq!(say!(words, "minutes", number = 3), "3 min");
    }

    #[test]
    fn what_is_broken_is_told_and_ours_is_taken() {
        let long = format!("osds = {}", "x".repeat(2001));
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
            ("osds = { disks }", "osds: there is no disks"),
            ("osds = { minutes.x }", "osds: there is no minutes.x"),
            ("osds = { -disk }", "osds: there is no -disk"),
            (
                "osds = { $number ->\n [one] { NUMBER($number) }\n *[other] x\n }",
                "osds: there is no NUMBER()",
            ),
            (
                "-disk = { $number }",
                "-disk: there is no $number in a term; there is none",
            ),
            (&long, "osds has 2001 bytes; allowed: 2000"),
        ] {
            let (words, problems) = replacing(written);
            assert!(
                problems.len() == 1 && problems[0].starts_with(problem),
                "{written}: {problems:?}"
            );
            assert_eq!(say!(words, "osds", number = 2), "2 OSDs", "{written}");
        }
    }

    #[test]
    fn what_turns_out_broken_when_it_is_said_is_ours() {
        for written in [
            "osds = { minutes }\nminutes = { osds }",
            "osds = { osds }",
            "-a = { -b }\n-b = { -a }\nosds = { -a }",
            &format!("-a = a\nosds = {}", "{ -a }".repeat(1000)),
        ] {
            let (words, _) = replacing(written);
            assert_eq!(say!(words, "osds", number = 2), "2 OSDs", "{written}");
        }
    }

    #[test]
    fn whatever_a_text_holds_it_is_one_line() {
        let (words, problems) = replacing(
            "osds =\n    a\n\n    Bcc: x\nminutes = a{ \"\\u000d\\u000aBcc:\" } x{ \"\\u0000\" }",
        );
        assert_eq!(problems, [""; 0]);
        assert_eq!(say!(words, "osds", number = 2), "a Bcc: x");
        assert_eq!(say!(words, "minutes", number = 2), "a Bcc: x");
    }

    #[test]
    fn nothing_is_read_before_something_is_said() {
        let read = Arc::new(Mutex::new(0));
        let count = Arc::clone(&read);
        let written = move || {
            *count.lock().unwrap() += 1;
            String::new()
        };
        let words = Words::with(Language::German, written, |_| {});
        assert_eq!(*read.lock().unwrap(), 0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| say!(words, "osds", number = 1));
            }
        });
        assert_eq!(*read.lock().unwrap(), 1);
    }
}
