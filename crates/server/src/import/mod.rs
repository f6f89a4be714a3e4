//! `countersign import django`: says what it will do, asks, does it, and says what became of everyone.
//!
//! - here: the order of it all, first as a rehearsal, then for good.
//! - `source`: what is read from Django, as the use case takes it.
//! - `report`: what is said of it.
//! - `links`: for those whose old password can't be checked.
//! - `progress`: how far it has come.

mod links;
mod progress;
mod report;
mod source;

use std::path::PathBuf;

use countersign::service::Service;
use countersign::service::import::{Plan, Report};
use countersign_django::Named;

use self::progress::Progress;
use self::source::Source;
use crate::outcome::{Failure, say};
use crate::prompt::Ask;

/// How many users come in one transaction: enough to make its cost small, few enough that a server beside it doesn't
/// have to wait.
const BATCH: u32 = 250;

const NEED_LINKS: &str = "Who needs a link to set a password gets it by `countersign users link`, or all of them at once by \
    --links FILE at the import.";

/// What was asked for.
pub(crate) struct Arguments {
    /// A path, or a URL.
    pub(crate) database: String,
    /// What was named of its tables and columns.
    pub(crate) named: Named,
    /// Only to say what would happen.
    pub(crate) dry_run: bool,
    /// Not to ask.
    pub(crate) yes: bool,
    /// Where links go, for those whose old password can't be checked.
    pub(crate) links: Option<PathBuf>,
}

/// Brings the users of a Django project in.
pub(crate) async fn run(
    service: &Service,
    arguments: &Arguments,
    ask: Option<&mut dyn Ask>,
) -> Result<(), Failure> {
    // Each pass reads one snapshot, and gives it back: as long as SQLite is read, Django can't write.
    let open = || Source::open(&arguments.database, &arguments.named, &service.settings().user_fields);
    let rehearsed = {
        let source = open().await?;
        tell(&source.describe());
        pass(service, &source, true).await?
    };
    say("");
    tell(&report::plan(&rehearsed));
    if arguments.dry_run {
        say("");
        say("Nothing was changed.");
        return verdict(&rehearsed);
    }
    if rehearsed.created + rehearsed.changed > 0 && !arguments.yes {
        let Some(ask) = ask else {
            return Err(Failure::Misused(
                "there is no terminal to ask at whether to go on; look at the above, and add --yes".into(),
            ));
        };
        if !matches!(ask.line("Go on? [y/N] ")?.trim(), "y" | "Y" | "yes") {
            return Err(Failure::Refused("cancelled; nothing was changed".into()));
        }
    }
    let file = arguments.links.as_deref().map(links::open).transpose()?;
    let report = pass(service, &open().await?, false).await?;
    say("");
    tell(&report::done(&report));
    match file {
        Some(file) => {
            let count = links::write(service, &report.need_links, file).await?;
            say(&format!("Links to set a password: {count}, good for a day. Send each to its owner alone."));
        }
        None if !report.need_links.is_empty() => say(NEED_LINKS),
        None => {}
    }
    if let Some(to_do) = report::to_do(&report) {
        say(to_do);
    }
    verdict(&report)
}

fn tell(lines: &[String]) {
    for line in lines {
        say(line);
    }
}

/// All of it, once.
async fn pass(service: &Service, source: &Source<'_>, dry_run: bool) -> Result<Report, Failure> {
    let totals = source.totals();
    let plan = Plan { from: "django", highest: totals.highest, dry_run };
    let mut import = service.import(plan);
    let (permissions, groups) = source.rights();
    import.rights(permissions, groups).await?;
    let mut progress = Progress::new(if dry_run { "looked at" } else { "brought over" }, totals.users);
    let mut after = i64::MIN;
    loop {
        let rows = source.people(after, BATCH).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        progress.advance(rows.len());
        import.people(rows).await?;
    }
    progress.end();
    Ok(import.finish().await)
}

/// A row that stays behind is a failure, so that a script sees it.
fn verdict(report: &Report) -> Result<(), Failure> {
    match report.left_out.len() {
        0 => Ok(()),
        1 => Err(Failure::Refused("one thing stays behind, as said above".into())),
        count => Err(Failure::Refused(format!("{count} things stay behind, as said above"))),
    }
}
