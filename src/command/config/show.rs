//! `petanotify config show`: the settings in force and where each came from.

use serde::Serialize;

use crate::ceph::via_librados;
use crate::cli::Json;
use crate::command::{Context, Done, Stop, observe, print, print_json};
use crate::settings::{Origin, Shown, Via, petasan};

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
    let ceph = match context.settings.ceph.via {
        Via::Cli | Via::Librados => None,
        Via::Auto => Some(way(context)),
    };
    if format.json {
        print_json(&Document {
            version: 1,
            state: context.store.file().display().to_string(),
            ceph,
            settings,
        })?;
        return Ok(Done::Complete);
    }
    let width = settings.iter().map(|s| s.key.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Shown { key, value, origin } in &settings {
        let value = value.as_deref().unwrap_or("(not set)");
        let mut origin = match origin {
            Origin::Default => "default".to_owned(),
            Origin::File { line } => format!("file, line {line}"),
            Origin::Environment(variable) => format!("environment, {variable}"),
            Origin::Option => "command line".to_owned(),
            Origin::Petasan => "PetaSAN".to_owned(),
        };
        if let Some(way) = ceph.as_ref().filter(|_| key == "ceph.via") {
            origin = format!("{origin}: {}, {}", way.via, way.detail);
        }
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
    /// What `ceph.via = "auto"` comes to.
    ceph: Option<CephWay>,
    settings: Vec<Shown>,
}

#[derive(Serialize)]
struct CephWay {
    via: &'static str,
    detail: String,
}

/// The way that a pass would take, and why.
fn way(context: &Context) -> CephWay {
    match via_librados::probe(&context.settings.ceph, &context.log) {
        Ok(library) => CephWay {
            via: "librados",
            detail: format!("{library} can be loaded"),
        },
        Err(why) => CephWay {
            via: "cli",
            detail: format!("librados cannot be used: {why}"),
        },
    }
}
