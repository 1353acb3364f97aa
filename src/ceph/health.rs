//! Ceph's own health, out of the same answer of `ceph status` as the space. It is read by itself, so that a pass that does not
//! want it spends nothing on it, and that neither is lost where the other makes no sense.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;

use super::{document, parse_status};
use crate::borrowed::Text;
use crate::facts::{ClusterStatus, Health, HealthCheck, HealthSeverity};
use crate::text::fit;
use crate::trouble::apart;

/// The longest summary that is kept; Ceph's are a line.
const SUMMARY_CHARS: usize = 200;

/// Space and health, each for itself.
pub type Both = (anyhow::Result<ClusterStatus>, anyhow::Result<Health>);

/// Reads the answer of `ceph status --format json` for both [space](parse_status) and [health](parse_health).
///
/// # Errors
/// Neither is in it; the error is that of the space.
pub fn parse_status_and_health(printed: &[u8]) -> anyhow::Result<Both> {
    match (parse_status(printed), parse_health(printed)) {
        (Err(error), Err(_)) => Err(error),
        both => Ok(both),
    }
}

/// Reads the answer of `ceph status --format json`: of each check in `health.checks` its `severity`, `summary.message` and
/// `muted`, which is missing before Ceph 15.
///
/// # Errors
/// It is no whole JSON document, has no `health.checks`, or a check in it has no `severity`.
pub fn parse_health(printed: &[u8]) -> anyhow::Result<Health> {
    document::find(printed, |text| document::attempt(text, health_facts))
}

fn health_facts(answer: Status<'_>) -> anyhow::Result<Health> {
    let checks = (answer.health)
        .and_then(|health| health.checks)
        .context("the answer has no health.checks")?;
    let mut health = Health::default();
    for (code, check) in checks {
        let severity = check
            .severity
            .with_context(|| format!("{} has no severity in the answer", document::quote(&code)))?;
        if check.muted == Some(true) {
            health.muted.insert(code.clone());
        }
        let message = check.summary.and_then(|summary| summary.message);
        let known = HealthCheck {
            severity: match severity.0.as_ref() {
                "HEALTH_ERR" => HealthSeverity::Error,
                _ => HealthSeverity::Warning,
            },
            summary: message.map_or(String::new(), |Text(text)| fit(&text, SUMMARY_CHARS)),
        };
        health.checks.insert(code, known);
    }
    Ok(health)
}

/// Takes one answer apart. `name` is the question's.
pub(super) fn split(answer: anyhow::Result<Both>, name: &str) -> Both {
    match answer {
        Ok((status, health)) => (
            status.with_context(|| name.to_owned()),
            health.with_context(|| name.to_owned()),
        ),
        Err(error) => {
            // An error can't be told twice; this can.
            let trouble = apart(&error);
            (Err(anyhow!(trouble.clone())), Err(anyhow!(trouble)))
        }
    }
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    health: Option<Answer<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    checks: Option<BTreeMap<String, Check<'a>>>,
}

#[derive(Deserialize)]
struct Check<'a> {
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    #[serde(borrow)]
    summary: Option<Summary<'a>>,
    muted: Option<bool>,
}

#[derive(Deserialize)]
struct Summary<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
}
