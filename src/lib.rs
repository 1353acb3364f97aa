//! petanotify tells the administrators of a PetaSAN or Ceph cluster by e-mail that the storage fills up, that a node is gone
//! or that disks failed. A timer runs it every minute; each run is one pass.
//!
//! # One pass, in order
//! 1. [`cli`] parses the command line; [`settings`] merges file and environment (what both leave open comes from PetaSAN).
//! 2. [`store`] takes the lock and loads the [`state`]: what is remembered of the cluster, and the pending mails.
//!    Where several nodes share a memory, [`command::share`] finds out which of them speaks ([`speaker`]) and brings the state
//!    up to date with what is [`shared`] ([`reunite`]); the pass of a silent node ends here.
//! 3. [`command::observe`] asks [`ceph`] and [`consul`] side by side and gets [`facts`].
//! 4. [`alert`] judges: each [`check`] turns facts into what is wrong, [`cause`] finds what one failure has brought down,
//!    [`incident`] decides what of it is news, and [`flapping`] that what goes up and down all the time is not.
//! 5. [`queue`] takes one mail per alert and recipient, [`late`] brings those up to date that wait since an earlier pass;
//!    the state is shared and saved before the first is sent.
//! 6. [`command::deliver`] lets [`message`] compose each mail, and [`smtp`] send it or else the [`fallback`] take it, and
//!    writes down what became of it.
//! 7. The state is shared and saved, [`metrics`] are written, the lock is given up, and a [`heartbeat`] tells that all this
//!    was done.
//!
//! The modules of 4 and 5, `severity`, `audience`, `quiet_hours`, `silence`, `standing`, `message`, `test_message`, `metrics`,
//! `screen`, `selection`, `wording`, `words`, `naming`, `reunite`, `shared` and `speaker` see no file, process, socket,
//! environment or clock: values in, values out.

pub mod alert;
pub mod aside;
pub mod audience;
pub mod borrowed;
pub mod cause;
pub mod ceph;
pub mod certificates;
pub mod check;
pub mod cli;
pub mod command;
pub mod consul;
pub mod deadline;
pub mod facts;
pub mod fallback;
pub mod finding;
pub mod flapping;
pub mod heartbeat;
pub mod incident;
pub mod late;
pub mod librados;
pub mod machine;
pub mod message;
pub mod metrics;
pub mod naming;
pub mod output;
pub mod ownership;
pub mod queue;
pub mod quiet_hours;
pub mod replace;
pub mod reunite;
pub mod screen;
pub mod seal;
pub mod selection;
pub mod sent;
pub mod settings;
pub mod severity;
pub mod shared;
pub mod silence;
pub mod smtp;
pub mod speaker;
pub mod standing;
pub mod state;
pub mod store;
pub mod templates;
pub mod test_message;
pub mod text;
pub mod together;
pub mod trouble;
pub mod wording;
pub mod words;

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use cli::{Cli, Color, Command, Config, Json, Queue, Silence};
use command::{Context, Done, Stop};
use output::{Log, Look, Priority};
use settings::environment::Environment;
use store::Store;

/// Runs a command and reports its failure.
pub fn run(cli: &Cli) -> ExitCode {
    if let Some(Command::AskCeph(options)) = &cli.command {
        return command::ask_ceph::ask_ceph(options);
    }
    let environment = Environment::of_process();
    let log = log(cli, &environment);
    match dispatch(cli, environment, &log) {
        Ok(Done::Complete | Done::Silent) => ExitCode::SUCCESS,
        Ok(Done::Incomplete) => ExitCode::from(1),
        Err(stop) => {
            log.error(format!("{:#}", stop.cause()));
            ExitCode::from(stop.code())
        }
    }
}

fn log(cli: &Cli, environment: &Environment) -> Log {
    let shown = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Priority::Error,
        (false, 0) => Priority::Notice,
        (false, 1) => Priority::Info,
        (false, _) => Priority::Debug,
    };
    let stream = environment.text("JOURNAL_STREAM");
    let journal = output::stderr_is_journal(stream.as_deref());
    let utf8 = locale(environment).is_some_and(|locale| output::is_utf8(&locale));
    let look = Look::on_stderr(environment.text("TERM").as_deref(), utf8);
    Log::with_progress(shown, journal, look)
}

fn dispatch(cli: &Cli, environment: Environment, log: &Log) -> Result<Done, Stop> {
    let context = |environment| context(cli, environment, log);
    let Some(command) = &cli.command else {
        let done = command::status::status(&context(environment)?, Json::default())?;
        log.hint("petanotify --help lists the commands");
        return Ok(done);
    };
    match command {
        Command::Check(options) => command::check::check(&context(environment)?, *options),
        Command::Status(format) => command::status::status(&context(environment)?, *format),
        Command::Queue(Queue::List(format)) => {
            command::queue::list(&context(environment)?, *format)
        }
        Command::Queue(Queue::Show(options)) => {
            command::queue::show::show(&context(environment)?, options)
        }
        Command::Queue(Queue::Flush(format)) => {
            command::queue::flush::flush(context(environment)?, *format)
        }
        Command::Queue(Queue::Drop(options)) => {
            command::queue::drop::give_up(&context(environment)?, options)
        }
        Command::Silence(Silence::Add(options)) => {
            command::silence::add(&context(environment)?, options)
        }
        Command::Silence(Silence::List(format)) => {
            command::silence::list(&context(environment)?, *format)
        }
        Command::Silence(Silence::End(options)) => {
            command::silence::end(&context(environment)?, options)
        }
        Command::Ack(options) => command::ack::ack(&context(environment)?, options),
        Command::TestMail(options) => {
            command::test_mail::test_mail(&context(environment)?, options)
        }
        Command::Config(Config::Check(format)) => {
            command::config::check::check(&context(environment)?, *format)
        }
        Command::Config(Config::Show(format)) => {
            command::config::show::show(&context(environment)?, *format)
        }
        Command::Config(Config::Templates(options)) => {
            command::config::templates::templates(&context(environment)?, *options)
        }
        // What is to be written need not be there, nor right.
        Command::Config(Config::Init(options)) => {
            let flag = cli.global.config.as_deref();
            command::config::init::init(options, flag, &environment, log)
        }
        Command::Completions(options) => command::completions::completions(options.shell),
        // Carried out above: it has no settings.
        Command::AskCeph(_) => Ok(Done::Complete),
    }
}

/// What a command starts from that has to do with a cluster.
fn context(cli: &Cli, environment: Environment, log: &Log) -> Result<Context, Stop> {
    let settings =
        settings::load(cli.global.config.as_deref(), &environment).map_err(Stop::Config)?;
    // `config check` tells of them itself.
    if !matches!(cli.command, Some(Command::Config(Config::Check(_)))) {
        for warning in &settings.warnings {
            log.warning(warning);
        }
    }
    let color = match cli.global.color {
        Color::Auto => None,
        Color::Always => Some(true),
        Color::Never => Some(false),
    };
    let no_color = environment.text("NO_COLOR");
    let locale = locale(&environment);
    let state_file =
        settings::locate::state_file(cli.global.state.as_deref(), &environment, &settings);
    let second_place = settings::locate::second_state_file(&environment, &state_file);
    let zone = settings.mail.time_zone.clone();
    Ok(Context {
        store: Store::new(state_file, second_place),
        state_option: cli.global.state.is_some(),
        style: output::style(color, no_color.as_deref(), locale.as_deref()),
        log: log.clone(),
        now: to_the_millisecond(Timestamp::now()),
        zone: LazyLock::new(Box::new(|| zone.unwrap_or_else(TimeZone::system))),
        words: Arc::new(templates::words(&settings.mail, log)),
        settings,
        environment,
    })
}

/// The locale of the characters: the first of these that is set and not empty (POSIX, Environment Variables, 8.2).
fn locale(environment: &Environment) -> Option<String> {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| environment.text(name))
}

/// Nobody needs more of a time in a file that people read.
fn to_the_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
