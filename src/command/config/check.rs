//! `petanotify config check`: tries Ceph, Consul and the mail server for real, sends nothing, and says what to do.
//!
//! Ceph, Consul and mail are asked side by side; what was found is printed section by section, each when it is complete.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use lettre::Address;
use serde::Serialize;

use crate::ceph::{self, via_librados};
use crate::cli::Json;
use crate::command::config::sharing;
use crate::command::route::Route;
use crate::command::{Context, Done, Stop, observe, print, print_json};
use crate::consul::{self, Agent};
use crate::facts::MonitorClocks;
use crate::finding::ceph::{Answer, Asked, Identity, Program, Way};
use crate::finding::consul::Needed;
use crate::finding::hosts::{judge_hosts, judge_nodes};
use crate::finding::mail::{Imported, Wanted};
use crate::finding::state::Content;
use crate::finding::timer::Units;
use crate::finding::{self, Finding};
use crate::incident::age;
use crate::machine;
use crate::output::{self, Log, Progress};
use crate::settings::ways::Command as Fallback;
use crate::settings::{self, HaMode, Relay, Via, petasan_cache};
use crate::smtp::probe::{Probe, probe};
use crate::store::survey::Survey;
use crate::templates;
use crate::trouble::apart;
use crate::wording;
use crate::words;

/// One mail server may take as long as all the mails of a pass.
const MAIL_TIME: Duration = Duration::from_secs(50);

/// Looks at everything that a pass needs.
///
/// # Errors
/// Standard output can't be written.
pub fn check(context: &Context, format: Json) -> Result<Done, Stop> {
    let log = context.log.leaving_the_account_to_stdout();
    let settings = &context.settings;
    let progress = log.waiting("asking Ceph, Consul and the mail server");
    let mut report = Report::new(context, format, &progress);
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let machine = scope.spawn(|| machine::look(&log));
        let ceph = scope.spawn(|| look_at_ceph(context, &log));
        let consul = scope.spawn(|| look_at_consul(context, &log, tell));
        let mail = scope.spawn(|| look_at_mail(context, &log, told));
        let state = scope.spawn(|| look_at_state(context));

        let file = settings.config_file.as_deref();
        report.add(finding::config::judge(file, &settings.warnings))?;
        if let Some(folder) = &settings.mail.template_dir {
            let language = settings.mail.language;
            let file = templates::file(folder, language);
            let found = templates::read(&file).map(|text| words::replaced(&text, language));
            let found = found.map_err(|error| format!("{error:#}"));
            report.add(finding::config::judge_templates(&file, language, found))?;
        }

        let odd_hosts = &settings.checks.root_cause.hosts;
        let machine = joined(machine);
        let units = machine.units.as_deref().map(Units::parse);
        let of_the_service = units.as_ref().and_then(Units::user);
        let reader = of_the_service.unwrap_or(&machine.user);
        // To the service's user systemd hands what root may read.
        let owner = Some(machine.user.as_str()).filter(|user| *user != "root");
        let (ceph, clocks) = joined(ceph);
        report.add(match ceph {
            Some(seen) => {
                let mut findings = finding::ceph::judge(&seen, owner);
                let tree = seen.osd_tree();
                findings.extend(
                    tree.map(|tree| judge_hosts(odd_hosts, tree))
                        .unwrap_or_default(),
                );
                findings
            }
            None => vec![finding::ceph::not_asked()],
        })?;
        report.add(match joined(consul) {
            Some((seen, sharing)) => {
                let mut findings = finding::consul::judge(&seen);
                let nodes = seen.nodes().filter(|_| settings.checks.osds.is_some());
                findings.extend(
                    nodes
                        .map(|nodes| judge_nodes(odd_hosts, nodes))
                        .unwrap_or_default(),
                );
                findings.extend(sharing);
                findings
            }
            None => vec![finding::consul::not_asked()],
        })?;

        let mail = joined(mail);
        report.add(finding::mail::judge_import(&mail.imported, wanted(context)))?;
        let missing = mail.missing.iter();
        let mut findings: Vec<Finding> = missing.map(|m| finding::mail::no_relay(m)).collect();
        for (relay, probe) in &mail.probes {
            let judged = finding::mail::judge(relay, probe, &mail.addresses, context.now);
            findings.extend(judged);
        }
        if let Some((command, program)) = &mail.fallback {
            findings.push(finding::mail::judge_fallback(command, program.as_deref()));
        }
        findings.extend(mail.coverage);
        report.add(findings)?;

        let (survey, content) = joined(state);
        report.add(finding::state::judge(&survey, &content, reader))?;
        let clock = machine.clock.as_deref();
        report.add(finding::clock::judge(clock, clocks.as_ref()))?;
        report.add(finding::timer::judge(&machine, units.as_ref()))
    })?;
    let findings = report.findings;
    drop(progress);
    end(context, format, &findings)
}

/// A bug in one of the threads is told as what it is.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// What was found so far; printed as it comes, or at the end as a document.
struct Report<'a> {
    context: &'a Context,
    format: Json,
    progress: &'a Progress,
    wrapped: bool,
    findings: Vec<Finding>,
}

/// The document of `config check --json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    ok: bool,
    checks: &'a [Finding],
}

impl<'a> Report<'a> {
    fn new(context: &'a Context, format: Json, progress: &'a Progress) -> Report<'a> {
        Report {
            context,
            format,
            progress,
            wrapped: output::stdout_is_terminal(),
            findings: Vec::new(),
        }
    }

    fn add(&mut self, findings: Vec<Finding>) -> Result<(), Stop> {
        let mut text = String::new();
        for finding in findings {
            let style = &self.context.style;
            let before = self.findings.last();
            text.push_str(&finding::printed(&finding, before, style, self.wrapped));
            self.findings.push(finding);
        }
        match self.format.json {
            true => Ok(()),
            false => self.progress.aside(|| print(&text)),
        }
    }
}

/// What comes last: the document, or the sum.
fn end(context: &Context, format: Json, findings: &[Finding]) -> Result<Done, Stop> {
    let ok = finding::is_ok(findings);
    if format.json {
        print_json(&Document {
            version: 1,
            ok,
            checks: findings,
        })?;
    } else {
        print(&finding::sum(findings, &context.style))?;
    }
    Ok(match ok {
        true => Done::Complete,
        false => Done::Incomplete,
    })
}

/// Asks Ceph all that a pass asks, and for the monitors' clocks. `None` where no check asks it.
fn look_at_ceph(
    context: &Context,
    log: &Log,
) -> (Option<finding::ceph::Seen>, Option<MonitorClocks>) {
    let settings = &context.settings.ceph;
    let checks = &context.settings.checks;
    let status = checks.capacity.is_some() || checks.health.is_some();
    if !status && checks.osds.is_none() {
        return (None, None);
    }
    let identity = Identity::of(
        settings,
        context.environment.text("CEPH_ARGS").as_deref(),
        context.environment.text("CEPH_CONF").as_deref(),
    );
    let ask = |wanted: ceph::Wanted| {
        let begun = Instant::now();
        let answers = ceph::ask(settings, wanted, log);
        (begun.elapsed(), answers)
    };
    let usage = ceph::Wanted {
        usage: status,
        ..ceph::Wanted::default()
    };
    let osd_tree = ceph::Wanted {
        osd_tree: checks.osds.is_some(),
        all_hosts: !checks.root_cause.hosts.is_empty(),
        ..ceph::Wanted::default()
    };
    let clocks = ceph::Wanted {
        clocks: true,
        ..ceph::Wanted::default()
    };
    // Each for itself, so that it is seen how long each takes.
    let (way, usage, osd_tree, clocks) = thread::scope(|scope| {
        let others = [usage, osd_tree].map(|wanted| scope.spawn(move || ask(wanted)));
        let clocks = scope.spawn(move || ask(clocks));
        let way = way(settings, log);
        let [usage, osd_tree] = others.map(joined);
        (way, usage, osd_tree, joined(clocks))
    });
    let asked = |question, took, answer: Option<anyhow::Result<Answer>>| {
        let answer = answer?.map_err(|error| apart(&error));
        Some(Asked {
            question,
            took,
            answer,
        })
    };
    let status = usage.1.status;
    let status = status.map(|told| told.map(|status| Answer::Status(status.usage)));
    let tree = osd_tree.1.osd_tree.map(|told| told.map(Answer::OsdTree));
    let seen = finding::ceph::Seen {
        way,
        by_hand: finding::ceph::by_hand(settings),
        conf: machine::readable(&identity.conf),
        keyring: finding::ceph::first_there(&identity.keyrings, machine::readable),
        identity,
        answers: asked("status", usage.0, status)
            .into_iter()
            .chain(asked("osd tree", osd_tree.0, tree))
            .collect(),
    };
    (Some(seen), clocks.1.clocks.and_then(Result::ok))
}

/// Which way Ceph is asked, as `ceph::ask` decides it.
fn way(settings: &settings::Ceph, log: &Log) -> Way {
    let command = |no_library| {
        Way::Command(Program {
            words: settings.command.clone(),
            path: settings
                .command
                .first()
                .and_then(|name| machine::program(name)),
            version: ceph::cli_version(settings, log).map_err(|error| apart(&error)),
            no_library,
        })
    };
    match settings.via {
        Via::Cli => command(None),
        Via::Librados => Way::Library(via_librados::probe(settings, log)),
        Via::Auto => match via_librados::probe(settings, log) {
            Ok(file) => Way::Library(Ok(file)),
            Err(why) => command(Some(why)),
        },
    }
}

/// What the configuration leaves to PetaSAN.
fn wanted(context: &Context) -> Wanted {
    Wanted {
        server: context.settings.relay_is_petasans(),
        recipients: context.settings.recipients.is_empty(),
    }
}

/// Asks Consul all that a pass asks, and for leader and version. What PetaSAN has set is told as soon as it is known. `None`
/// where nobody needs Consul.
fn look_at_consul(
    context: &Context,
    log: &Log,
    tell: Sender<Imported>,
) -> Option<(finding::consul::Seen, Vec<Finding>)> {
    let settings = &context.settings;
    let wants_import = observe::needs_import(settings);
    let shares = matches!(settings.ha.mode, HaMode::Consul | HaMode::Petasan);
    let needed = match (
        settings.checks.nodes.is_some() || wants_import || shares,
        &settings.cluster_name,
    ) {
        (true, _) => Needed::Yes,
        (false, None) => Needed::ForTheName,
        (false, Some(_)) => {
            // Who waits for it may be gone: then nobody misses it.
            let _ = tell.send(Imported::NotNeeded);
            return None;
        }
    };
    let told = |error: anyhow::Error| apart(&error);
    let agent = Agent::new(&settings.consul).map_err(told);
    let members = match &agent {
        Ok(agent) => agent.members(log).map_err(told),
        Err(trouble) => Err(trouble.clone()),
    };
    let imported = match (wants_import, &agent) {
        (false, _) => Imported::NotNeeded,
        (true, Err(trouble)) => kept(context, trouble.to_string()),
        (true, Ok(agent)) => match observe::import_now(agent, context) {
            Ok((import, odd)) => Imported::Read(import, odd),
            Err(cause) => kept(context, cause),
        },
    };
    let _ = tell.send(imported);
    let prefix = &settings.consul.nodes_prefix;
    let mut sharing = Vec::new();
    let mut ha = settings.ha.clone();
    let answers = agent.and_then(|agent| {
        let members = members?;
        let nodes = settings.checks.nodes.map(|_| {
            let keys = agent.keys(prefix, log).map_err(told)?;
            let mut membership = consul::membership(prefix, &keys, &members);
            agent.set_hidden_aside(prefix, &members, &mut membership, log);
            Ok(membership)
        });
        let identity = agent.identity(log).map_err(told);
        let tried = sharing::attempt(&agent, settings, &identity, &members, log);
        ha.mode = tried.mode();
        sharing = finding::ha::judge(&tried);
        Ok(finding::consul::Answers {
            identity,
            leader: agent.leader(log).map_err(told),
            members,
            nodes,
        })
    });
    let seen = finding::consul::Seen {
        address: settings.consul.address.clone(),
        nodes_prefix: prefix.clone(),
        ha,
        needed,
        answers,
    };
    Some((seen, sharing))
}

/// What a pass goes on with when PetaSAN's settings can't be read.
fn kept(context: &Context, cause: String) -> Imported {
    match petasan_cache::read(&context.import_cache()) {
        Ok(Some(cached)) => Imported::Kept(cached.import, cached.read, cause),
        Ok(None) => Imported::Missing(cause),
        Err(error) => Imported::Missing(format!("{cause}; {error:#}")),
    }
}

/// What was found out about mail.
struct MailSeen {
    imported: Imported,
    /// What each way lacks that is set up in part.
    missing: Vec<String>,
    /// The command that takes what no server does, and where its program lies.
    fallback: Option<(Fallback, Option<PathBuf>)>,
    probes: Vec<(Relay, Probe)>,
    /// Whom they were asked about.
    addresses: Vec<Address>,
    /// Whether everything is told to somebody.
    coverage: Vec<Finding>,
}

/// Asks each mail server about all recipients.
fn look_at_mail(context: &Context, log: &Log, told: Receiver<Imported>) -> MailSeen {
    let imported = told
        .recv()
        .unwrap_or_else(|_| Imported::Missing("internal error".to_owned()));
    let route = Route::by(context, imported.import());
    let addresses = route.recipients.iter().map(|r| r.address.clone());
    let addresses: Vec<Address> = addresses.collect();
    let ways = route.ways;
    let probes = thread::scope(|scope| {
        let deadline = Instant::now() + MAIL_TIME;
        let ask = |relay: Relay| {
            let addresses = &addresses;
            scope.spawn(move || {
                let probe = probe(&relay, addresses, deadline, log);
                (relay, probe)
            })
        };
        let threads: Vec<_> = ways.relays.into_iter().map(ask).collect();
        threads.into_iter().map(joined).collect()
    });
    let checks = &context.settings.checks;
    MailSeen {
        imported,
        missing: ways.missing,
        fallback: ways.fallback.map(|command| {
            let found = command
                .words
                .first()
                .and_then(|name| machine::program(name));
            (command, found)
        }),
        probes,
        addresses,
        coverage: finding::mail::judge_recipients(&route.recipients, checks),
    }
}

fn look_at_state(context: &Context) -> (Survey, Content) {
    let survey = context.store.survey();
    let content = match context.store.read(context.now) {
        Ok(loaded) => {
            let pending = match loaded.state.queue.len() {
                0 => "no mail is pending".to_owned(),
                number => format!("{} pending", wording::count(number, "mail")),
            };
            let pass = match &loaded.state.last_pass {
                Some(last) => {
                    let age = age(last.started, context.now);
                    format!("the last pass {} ago", wording::duration(age))
                }
                None => "no pass yet".to_owned(),
            };
            Content {
                told: Ok(format!("{pass}, {pending}")),
                problems: loaded.problems,
            }
        }
        Err(error) => Content {
            told: Err(format!("{error:#}")),
            problems: Vec::new(),
        },
    };
    (survey, content)
}
