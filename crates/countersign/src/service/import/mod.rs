//! Bringing people in from another system, with their ids and their passwords.
//!
//! Whoever reads the other system hands over what is there: permissions and groups first, then people, a batch at a
//! time in the order of their ids. What can come, and as whom, `judge` says; what that meets here, the store.
//!
//! Each batch is one transaction, and each person remembers what they came with. So an import that broke off is simply
//! run again: who has come is passed over. And a later import brings what has changed there since.

mod judge;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use countersign_core::{GroupName, PermissionName, UserId};
use countersign_store::{
    Arrival, AuditEvent, EventKind, ImportBatch, IncomingGroup, PasswordFate, TurnedAway,
};

pub use countersign_store::GroupArrival;
pub use judge::Newcomer;

use self::judge::{Judge, Judged, LeftOut, Note};
use super::{Error, Service};

/// An import under way, or a rehearsal of one.
pub struct Import<'a> {
    service: &'a Service,
    plan: Plan,
    judge: Judge<'a>,
    groups: HashMap<i64, GroupName>,
    permissions: HashMap<i64, PermissionName>,
    report: Report,
}

/// What is to be imported, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The other system's name, for the audit.
    pub from: &'static str,
    /// The highest id there: new ids here go on after it.
    pub highest: i64,
    /// Says what would happen, and changes nothing.
    pub dry_run: bool,
}

/// A permission of the other system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignPermission {
    /// Its id there.
    pub id: i64,
    /// Its name, `scope.action`.
    pub name: String,
    /// What it is for.
    pub description: String,
}

/// A group of the other system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignGroup {
    /// Its id there.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The ids of its permissions there.
    pub permissions: Vec<i64>,
}

/// A row of the other system's table of people.
#[derive(Clone, Debug)]
pub struct ForeignRow {
    /// The id.
    pub id: i64,
    /// What they are called there, for the report.
    pub name: String,
    /// The person, or why the row can't be read.
    pub person: Result<Newcomer, String>,
}

/// What an import did, or would do.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// People who are new here.
    pub created: u64,
    /// People who came before, of whom something has changed there since.
    pub changed: u64,
    /// People who came before, of whom nothing has.
    pub unchanged: u64,
    /// People whose password has changed there since, and came.
    pub passwords: u64,
    /// How many people have a password of which kind.
    pub hashes: BTreeMap<String, u64>,
    /// Groups, by what became of them.
    pub groups: Vec<(GroupName, GroupArrival)>,
    /// How many permissions came, and which of them are new here.
    pub permissions: u64,
    /// What stays behind: of what it is, and why. People are told by their ids and names.
    pub left_out: Vec<(Subject, String)>,
    /// What comes in another way than it stands there, and why.
    pub notes: Vec<(Subject, String)>,
    /// Who needs a link to set a password, since the hash can't be used.
    pub need_links: Vec<(UserId, String)>,
    /// Addresses that log nobody in, and who has them.
    pub shared_addresses: Vec<(String, BTreeSet<UserId>)>,
}

/// Whom or what a line of the report is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// A person, by id and name.
    User(i64, String),
    /// A group, by name.
    Group(String),
    /// A permission, by name.
    Permission(String),
}

impl Subject {
    fn name(&self) -> &str {
        match self {
            Self::User(_, name) | Self::Group(name) | Self::Permission(name) => name,
        }
    }
}

impl Service {
    /// Begins an import, or a rehearsal.
    pub fn import(&self, plan: Plan) -> Import<'_> {
        Import {
            service: self,
            plan,
            judge: Judge::new(&self.settings.user_fields),
            groups: HashMap::new(),
            permissions: HashMap::new(),
            report: Report::default(),
        }
    }
}

impl Import<'_> {
    /// Takes in the permissions and groups, before the people.
    ///
    /// A permission of the name of one that guards our own admin site stays behind: what it allows there is something
    /// else, and whoever has it would rise here.
    pub async fn rights(
        &mut self,
        permissions: Vec<ForeignPermission>,
        groups: Vec<ForeignGroup>,
    ) -> Result<(), Error> {
        let here = self.service.store.permissions().await?;
        let built_in: HashSet<_> = here.iter().filter(|it| it.built_in).map(|it| it.name.clone()).collect();
        let mut known: HashSet<_> = here.into_iter().map(|it| it.name).collect();
        for ForeignPermission { id, name, description } in permissions {
            let parsed = match PermissionName::parse(&name) {
                Ok(parsed) if built_in.contains(&parsed) => Err(BUILT_IN.to_owned()),
                Ok(parsed) => Ok(parsed),
                Err(error) => Err(error.to_string()),
            };
            match parsed {
                Ok(parsed) => {
                    if known.insert(parsed.clone()) && !self.plan.dry_run {
                        self.create_permission(parsed.clone(), &description).await?;
                    }
                    self.report.permissions += 1;
                    self.permissions.insert(id, parsed);
                }
                Err(sentence) => self.leave_out(Subject::Permission(name), sentence),
            }
        }
        let mut incoming = Vec::new();
        let mut keys = HashSet::new();
        for ForeignGroup { id, name, permissions } in groups {
            match GroupName::parse(&name) {
                Ok(parsed) => {
                    if keys.insert(parsed.key()) {
                        let permissions = self.resolve(&permissions);
                        incoming.push(IncomingGroup { name: parsed.clone(), permissions });
                    } else {
                        let sentence = "comes into the group whose name differs only in case";
                        self.report.notes.push((Subject::Group(name), sentence.to_owned()));
                    }
                    self.groups.insert(id, parsed);
                }
                Err(error) => self.leave_out(Subject::Group(name), error.to_string()),
            }
        }
        self.bring_groups(incoming).await
    }

    /// Takes in the next people, in the order of their ids: one transaction.
    pub async fn people(&mut self, rows: Vec<ForeignRow>) -> Result<(), Error> {
        let mut users = Vec::with_capacity(rows.len());
        let mut subjects = Vec::with_capacity(rows.len());
        for ForeignRow { id, name, person } in rows {
            let subject = Subject::User(id, name);
            let judged = person.map_err(LeftOut::Row).and_then(|person| {
                let (groups, permissions) =
                    (self.groups_of(&person.groups), self.resolve(&person.permissions));
                self.judge.judge(person, groups, permissions)
            });
            match judged {
                Ok(Judged { user, notes }) => {
                    subjects.push((user.id, subject, notes));
                    users.push(user);
                }
                Err(reason) => self.leave_out(subject, reason.to_string()),
            }
        }
        let batch = ImportBatch {
            users,
            highest: UserId(self.plan.highest),
            at: self.service.now(),
            from: self.plan.from,
            dry_run: self.plan.dry_run,
        };
        let arrivals = self.service.timed("import_users", self.service.store.import_users(batch)).await?;
        for (arrival, (id, subject, notes)) in arrivals.into_iter().zip(subjects) {
            self.arrived(id, subject, notes, arrival);
        }
        Ok(())
    }

    /// Everybody has come: what became of them.
    pub async fn finish(mut self) -> Report {
        self.report.hashes.clone_from(self.judge.hashes());
        let shared = self.judge.shared_addresses().into_iter();
        self.report.shared_addresses =
            shared.map(|(address, users)| (address.as_str().to_owned(), users)).collect();
        if !self.plan.dry_run {
            self.service.catch_up().await;
        }
        self.report
    }

    fn arrived(&mut self, id: UserId, subject: Subject, notes: Vec<Note>, arrival: Arrival) {
        let report = &mut self.report;
        match arrival {
            Arrival::Created => report.created += 1,
            Arrival::Unchanged => report.unchanged += 1,
            Arrival::Changed { password } => {
                report.changed += 1;
                match password {
                    PasswordFate::Same => {}
                    PasswordFate::Came => report.passwords += 1,
                    PasswordFate::KeptOurs => report.notes.push((subject.clone(), KEPT.to_owned())),
                }
            }
            Arrival::LeftOut(reason) => {
                let sentence = remedy(&reason)
                    .map_or_else(|| reason.to_string(), |remedy| format!("{reason}; {remedy}"));
                report.left_out.push((subject, sentence));
                return;
            }
        }
        for note in notes {
            if matches!(note, Note::Hash(..)) && arrival != Arrival::Unchanged {
                report.need_links.push((id, subject.name().to_owned()));
            }
            let list = if note.is_loss() { &mut report.left_out } else { &mut report.notes };
            list.push((subject.clone(), note.to_string()));
        }
    }

    async fn create_permission(&self, name: PermissionName, description: &str) -> Result<(), Error> {
        let description: String =
            description.chars().filter(|c| !c.is_control()).take(DESCRIPTION_MAX).collect();
        let event = self.event(EventKind::PermissionCreated);
        self.service.store.create_permission(name, description, event).await?;
        Ok(())
    }

    async fn bring_groups(&mut self, incoming: Vec<IncomingGroup>) -> Result<(), Error> {
        let names: Vec<_> = incoming.iter().map(|group| group.name.clone()).collect();
        let event = self.event(EventKind::GroupCreated);
        let arrivals = self.service.store.import_groups(incoming, event, self.plan.dry_run).await?;
        for (name, arrival) in names.into_iter().zip(arrivals) {
            match arrival {
                GroupArrival::Deleted => {
                    self.leave_out(Subject::Group(name.to_string()), "was deleted here".to_owned());
                }
                GroupArrival::Joined => {
                    let subject = Subject::Group(name.to_string());
                    self.report.notes.push((subject, JOINED.to_owned()));
                }
                GroupArrival::Created | GroupArrival::Changed | GroupArrival::Unchanged => {}
            }
            self.report.groups.push((name, arrival));
        }
        Ok(())
    }

    fn event(&self, kind: EventKind) -> AuditEvent {
        let mut event = AuditEvent::new(kind, self.service.now());
        event.detail.insert("imported_from".to_owned(), self.plan.from.into());
        event
    }

    fn leave_out(&mut self, subject: Subject, reason: String) {
        self.report.left_out.push((subject, reason));
    }

    /// Those of them that come.
    fn resolve(&self, ids: &[i64]) -> BTreeSet<PermissionName> {
        ids.iter().filter_map(|id| self.permissions.get(id).cloned()).collect()
    }

    fn groups_of(&self, ids: &[i64]) -> BTreeSet<GroupName> {
        ids.iter().filter_map(|id| self.groups.get(id).cloned()).collect()
    }
}

/// The longest description of a permission, in characters (Django's names of permissions have 255).
const DESCRIPTION_MAX: usize = 255;
const BUILT_IN: &str = "guards Countersign's own admin site, where it allows something else; grant it here by hand to \
    those who shall look after users";
const JOINED: &str = "is here already; who is in it there comes into this one, with all that it may do";
const KEPT: &str = "has another password there now, and one that was set here: this one stays";

/// What to do about it, where something can be done.
fn remedy(reason: &TurnedAway) -> Option<&'static str> {
    match reason {
        TurnedAway::IdTaken => {
            Some("import into a database where nobody has signed up yet, or delete that user")
        }
        TurnedAway::NameTaken(_) => Some("rename one of the two"),
        TurnedAway::LastSuperuser => Some("make another superuser here first"),
        TurnedAway::Deleted | TurnedAway::FieldTaken(_) => None,
    }
}
