//! The same server on stores of all sizes.

use crate::Result;
use crate::clients::Caller;
use crate::contest::{self, Entrant, Outcome, Serving, Work};
use crate::loader::Kind;
use crate::loads::{calling, rested, started};
use crate::plan::{Plan, Results, Sized};
use crate::store::{Size, Store};

const fn size(sessions: u32, users: u32) -> Size {
    Size { sessions, users }
}

/// The first is as good as empty.
const SIZES: [Size; 4] =
    [size(64, 64), size(10_000, 1_000_000), size(1_000_000, 1_000_000), size(10_000_000, 1_000_000)];
/// They are made anew for each run; the largest would take minutes.
const SIZES_ON_POSTGRES: [Size; 3] = [size(64, 64), size(10_000, 1_000_000), size(1_000_000, 1_000_000)];

const CONNECTIONS: usize = 16;
/// Sessions that call: few enough that each has called before, and no more than the smallest store has by far.
const CALLING: u32 = 2_000;

impl Plan {
    pub(crate) fn scale(&mut self, results: &mut Results) -> Result<()> {
        results.scale = self.sizes(&self.stores_of_all_sizes()?)?;
        match self.stores_on_postgres().and_then(|stores| self.sizes(&stores)) {
            Ok(sizes) => results.scale_on_postgres = sizes,
            Err(error) => results.misses("scale, on PostgreSQL", &error.to_string()),
        }
        Ok(())
    }

    fn sizes(&self, stores: &[Store]) -> Result<Vec<Sized>> {
        let starts = stores
            .iter()
            .map(|store| started(&name(store), || self.serve(store, &store.named("scale"), &[])));
        let starts = rested(starts.collect::<Result<_>>()?);
        let refresh = self.over(stores, "Refresh", |store| self.refreshing(store, &name(store)))?;
        let profile = self.over(stores, "Profile", |store| {
            let sessions = calling(store, store.size.sessions.min(CALLING))?;
            let server = self.serve(store, &name(store), &[])?;
            Ok(Serving::new(server, Caller::all(&self.accounts, sessions, CONNECTIONS), Kind::Profile))
        })?;
        let found = stores.iter().zip(starts).zip(refresh).zip(profile);
        found
            .map(|(((store, start), refresh), profile)| {
                Ok(Sized { size: store.size, disk: store.mebibytes()?, start, refresh, profile })
            })
            .collect()
    }

    pub(crate) fn stores_of_all_sizes(&self) -> Result<Vec<Store>> {
        let stores = SIZES.map(|size| self.program.store(self.machine, &named(size), size));
        stores.into_iter().collect()
    }

    fn stores_on_postgres(&self) -> Result<Vec<Store>> {
        let cluster = self.cluster.as_ref().ok_or("there is no PostgreSQL")?;
        let stores =
            SIZES_ON_POSTGRES.map(|size| self.program.store_in(self.machine, cluster, &named(size), size));
        stores.into_iter().collect()
    }

    fn over(
        &self,
        stores: &[Store],
        title: &str,
        serve: impl Fn(&Store) -> Result<Box<Serving>>,
    ) -> Result<Vec<Outcome>> {
        let entrants =
            stores.iter().map(|store| Ok(Entrant { name: name(store), work: Work::Serve(serve(store)?) }));
        let entrants = entrants.collect::<Result<_>>()?;
        Ok(contest::run(self.machine, &format!("{title}, by size"), entrants, self.timing))
    }
}

/// The name of a store of this size.
fn named(size: Size) -> String {
    format!("scale-{}", size.sessions)
}

/// What is said of a store while it is measured.
fn name(store: &Store) -> String {
    store.named(&format!("{} sessions", store.size.sessions))
}
