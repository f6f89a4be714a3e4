//! The same server on stores of all sizes.

use crate::Result;
use crate::clients::Caller;
use crate::contest::{self, Entrant, Outcome, Serving, Work};
use crate::loader::Kind;
use crate::loads::{calling, rested, started};
use crate::plan::{Plan, Results, Size};
use crate::store::Store;

/// Sessions and users. The first is as good as empty.
const SIZES: [(u32, u32); 4] =
    [(64, 64), (10_000, 1_000_000), (1_000_000, 1_000_000), (10_000_000, 1_000_000)];

const CONNECTIONS: usize = 16;
/// Sessions that call: few enough that each has called before, and no more than the smallest store has by far.
const CALLING: u32 = 2_000;

impl Plan {
    pub(crate) fn scale(&mut self, results: &mut Results) -> Result<()> {
        let stores = self.stores_of_all_sizes()?;
        let starts = stores.iter().map(|store| {
            let name = format!("{} sessions", store.sessions);
            started(&name, || self.serve(store, "scale", &[]))
        });
        let starts = rested(starts.collect::<Result<_>>()?);
        let refresh = self.over(&stores, "Refresh, by size", |store| self.refreshing(store, "scale"))?;
        let profile = self.over(&stores, "Profile, by size", |store| {
            let sessions = calling(store, store.sessions.min(CALLING))?;
            let server = self.serve(store, "scale", &[])?;
            Ok(Serving::new(server, Caller::all(&self.accounts, sessions, CONNECTIONS), Kind::Profile))
        })?;
        for (((store, start), refresh), profile) in stores.iter().zip(starts).zip(refresh).zip(profile) {
            let Store { sessions, users, .. } = *store;
            results.scale.push(Size { sessions, users, file: store.size(), start, refresh, profile });
        }
        Ok(())
    }

    pub(crate) fn stores_of_all_sizes(&self) -> Result<Vec<Store>> {
        let stores = SIZES.map(|(sessions, users)| {
            self.program.store(self.machine, &format!("scale-{sessions}"), sessions, users)
        });
        stores.into_iter().collect()
    }

    fn over(
        &self,
        stores: &[Store],
        title: &str,
        serve: impl Fn(&Store) -> Result<Box<Serving>>,
    ) -> Result<Vec<Outcome>> {
        let entrants = stores.iter().map(|store| {
            Ok(Entrant { name: format!("{} sessions", store.sessions), work: Work::Serve(serve(store)?) })
        });
        Ok(contest::run(self.machine, title, entrants.collect::<Result<_>>()?, self.timing))
    }
}
