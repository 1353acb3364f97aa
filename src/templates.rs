//! The wording that an admin has put in the place of ours: the file of `mail.template_dir`, read when a mail is to be written.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::output::Log;
use crate::settings::Mail;
use crate::words::{Language, Words};

/// The largest file that is read, in bytes: many times what all messages are together.
const MOST_BYTES: u64 = 256 * 1024;

/// So many mistakes are told in the log of a pass; `config check` tells all of them.
const TOLD: usize = 5;

/// The file of a language in the folder of `mail.template_dir`.
pub fn file(folder: &Path, language: Language) -> PathBuf {
    folder.join(format!("{}.ftl", language.as_str()))
}

/// Reads such a file.
///
/// # Errors
/// It can't be read, is no file, is larger than 256 KiB, or is not UTF-8.
pub fn read(file: &Path) -> Result<String> {
    let text = || {
        // To open a pipe would wait for who writes to it.
        let metadata = std::fs::metadata(file)?;
        if !metadata.is_file() {
            bail!("it is no file");
        }
        let mut bytes = Vec::new();
        let most = File::open(file)?
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)?;
        if most as u64 > MOST_BYTES {
            bail!("it is larger than {} KiB", MOST_BYTES / 1024);
        }
        let text = String::from_utf8(bytes);
        text.map_err(|error| {
            let fine = error.utf8_error().valid_up_to();
            let before = &error.as_bytes()[..fine];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            anyhow::anyhow!("line {line} is not in UTF-8")
        })
    };
    text().with_context(|| format!("cannot use {}", file.display()))
}

/// What mails are written with by these settings. What can't be used goes to the log when the first mail is written.
pub fn words(mail: &Mail, log: &Log) -> Words {
    let language = mail.language;
    let Some(folder) = &mail.template_dir else {
        return Words::of(language);
    };
    let file = file(folder, language);
    let written = {
        let (file, log) = (file.clone(), log.clone());
        move || match read(&file) {
            Ok(text) => text,
            Err(error) => {
                log.warning(format!(
                    "mail.template_dir: {error:#}; petanotify's own wording takes its place"
                ));
                String::new()
            }
        }
    };
    let log = log.clone();
    Words::with(language, written, move |problems| {
        for problem in problems.iter().take(TOLD) {
            log.warning(format!(
                "{}: {problem}; petanotify's own wording takes its place",
                file.display()
            ));
        }
        let more = problems.len().saturating_sub(TOLD);
        if more > 0 {
            log.warning(format!(
                "{}: {more} more mistakes; petanotify config check tells all of them",
                file.display()
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_no_text_of_a_sensible_size_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path(), Language::German);
        assert_eq!(file, folder.path().join("de.ftl"));
        let largest = "#".repeat(256 * 1024);
        for (content, problem) in [
            (None, "No such file or directory"),
            (Some(b"a = b\n\xff".as_slice()), "line 2 is not in UTF-8"),
            (
                Some(format!("{largest}#").as_bytes()),
                "it is larger than 256 KiB",
            ),
        ] {
            if let Some(content) = content {
                std::fs::write(&file, content).unwrap();
            }
            let error = format!("{:#}", read(&file).unwrap_err());
            let place = format!("cannot use {}: ", file.display());
            assert!(error.starts_with(&place), "{error}");
            assert!(error.contains(problem), "{error}");
        }
        let error = format!("{:#}", read(folder.path()).unwrap_err());
        assert!(error.ends_with("it is no file"), "{error}");
        std::fs::write(&file, &largest).unwrap();
        assert_eq!(read(&file).unwrap(), largest);
    }
}
