//! `petanotify config show`: the settings in force and where each came from.

use serde::Serialize;

use crate::cli::Json;
use crate::command::{Context, Done, Stop, observe, print, print_json};
use crate::settings::{Origin, Shown, petasan};

/// Prints every setting with its origin; secrets are masked. What the file leaves to PetaSAN is read from Consul.
///
/// # Errors
/// Standard output can't be written.
pub fn show(context: &Context, format: Json) -> Result<Done, Stop> {
    let import = observe::import_alone(context, observe::Keep::No);
    let mut settings = petasan::shown(&context.settings, import.as_ref());
    if context.state_option {
        let state = settings.iter_mut().filter(|s| s.key == "state.file");
        for shown in state {
            shown.value = Some(format!("{:?}", context.store.file()));
            shown.origin = Origin::Option;
        }
    }
    if format.json {
        print_json(&Document {
            version: 1,
            state: context.store.file().display().to_string(),
            settings,
        })?;
        return Ok(Done::Complete);
    }
    let width = settings.iter().map(|s| s.key.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Shown { key, value, origin } in &settings {
        let value = value.as_deref().unwrap_or("(not set)");
        let origin = match origin {
            Origin::Default => "default".to_owned(),
            Origin::File { line } => format!("file, line {line}"),
            Origin::Environment(variable) => format!("environment, {variable}"),
            Origin::Option => "command line".to_owned(),
            Origin::Petasan => "PetaSAN".to_owned(),
        };
        text.push_str(&format!(
            "{key:<width$}  {value}  {}\n",
            context.style.dim(&format!("# {origin}"))
        ));
    }
    print(&text)?;
    Ok(Done::Complete)
}

#[derive(Serialize)]
struct Document {
    version: u32,
    state: String,
    settings: Vec<Shown>,
}
