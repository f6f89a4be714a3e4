use countersign_core::{Seconds, UserId};
use countersign_store::{AuditCounts, AuditEvent, AuditFilter, EventKind};
use serde_json::{Map, json};

use crate::support::{START, at, event, new_session, stores};

// attack 118
#[tokio::test]
async fn an_event_is_kept_as_it_was_told() {
    for store in stores() {
        let full = AuditEvent {
            at: at(1),
            kind: EventKind::Theft,
            actor: Some(UserId(1)),
            user: Some(UserId(2)),
            session: Some(new_session(UserId(2), START).id),
            ip: Some("2001:db8::1".parse().unwrap()),
            detail: Map::from_iter([("what".to_owned(), json!(["\r\n\u{1b}", 1.5, null]))]),
            bucket: Some("a bucket".to_owned()),
            count: 3,
        };
        store.audit(vec![full.clone()]).await.unwrap();
        let rows = store.audit_rows(AuditFilter { limit: 10, ..AuditFilter::default() }).await.unwrap();
        assert_eq!((rows.len(), &rows[0].event), (1, &full));
    }
}

#[tokio::test]
async fn every_kind_of_event_can_be_kept() {
    for store in stores() {
        store.audit(EventKind::ALL.map(|kind| event(kind, START)).to_vec()).await.unwrap();
        for kind in EventKind::ALL {
            assert_eq!(store.audited(kind).await.len(), 1);
        }
    }
}

#[tokio::test]
async fn events_of_one_bucket_are_one_row_with_a_count() {
    for store in stores() {
        let failed = |secs, bucket: Option<&str>| AuditEvent {
            bucket: bucket.map(str::to_owned),
            ..event(EventKind::LoginFailed, at(secs))
        };
        let events = vec![failed(1, Some("a")), failed(2, Some("b")), failed(3, None), failed(4, Some("a"))];
        store.audit(events).await.unwrap();
        store.audit(vec![failed(5, Some("a")), failed(6, None)]).await.unwrap();
        let rows = store.audited(EventKind::LoginFailed).await;
        let rows: Vec<_> =
            rows.iter().map(|row| (row.event.bucket.as_deref(), row.event.at, row.event.count)).collect();
        let expected = [(None, at(6), 1), (Some("a"), at(5), 3), (None, at(3), 1), (Some("b"), at(2), 1)];
        assert_eq!(rows, expected);
    }
}

#[tokio::test]
async fn the_audit_is_read_newest_first_by_kind_by_user_and_in_pages() {
    for store in stores() {
        let [ana, ben] = [UserId(1), UserId(2)];
        let of = |user, kind, secs| AuditEvent { user: Some(user), ..event(kind, at(secs)) };
        let events = vec![
            of(ana, EventKind::Login, 1),
            of(ben, EventKind::Login, 2),
            of(ana, EventKind::Theft, 3),
            of(ana, EventKind::Login, 4),
            AuditEvent { actor: Some(ana), ..of(ben, EventKind::UserDeactivated, 5) },
        ];
        store.audit(events).await.unwrap();
        let read = async |filter: AuditFilter| {
            let rows = store.audit_rows(filter).await.unwrap();
            rows.iter().map(|row| row.event.at).collect::<Vec<_>>()
        };
        let all = AuditFilter { limit: 100, ..AuditFilter::default() };
        assert_eq!(read(all.clone()).await, [at(5), at(4), at(3), at(2), at(1)]);
        let of_ana = AuditFilter { user: Some(ana), ..all.clone() };
        assert_eq!(read(of_ana.clone()).await, [at(4), at(3), at(1)]);
        let logins = AuditFilter { kinds: vec![EventKind::Login], ..all.clone() };
        assert_eq!(read(logins.clone()).await, [at(4), at(2), at(1)]);
        assert_eq!(read(AuditFilter { user: Some(ana), ..logins }).await, [at(4), at(1)]);
        let page = AuditFilter { limit: 2, ..of_ana };
        let first = store.audit_rows(page.clone()).await.unwrap();
        assert_eq!(first.len(), 2);
        assert_eq!(read(AuditFilter { after: Some(first[1].cursor()), ..page }).await, [at(1)]);
        assert_eq!(read(AuditFilter::default()).await, [], "no rows were asked for");
    }
}

#[tokio::test]
async fn the_audit_is_read_by_kinds_by_actor_and_by_time() {
    for store in stores() {
        let [ana, ben] = [UserId(1), UserId(2)];
        let by = |actor, kind, secs| AuditEvent { actor: Some(actor), ..event(kind, at(secs)) };
        let events = vec![
            by(ana, EventKind::Login, 1),
            by(ben, EventKind::UserChanged, 2),
            by(ben, EventKind::Theft, 2),
            by(ana, EventKind::UserChanged, 3),
            by(ana, EventKind::Login, 4),
        ];
        store.audit(events).await.unwrap();
        let read = async |filter: AuditFilter| {
            let rows = store.audit_rows(AuditFilter { limit: 2, ..filter.clone() }).await.unwrap();
            let after = rows.last().map(|row| row.cursor().to_string().parse().unwrap());
            let rest = store.audit_rows(AuditFilter { limit: 9, after, ..filter }).await.unwrap();
            rows.iter().chain(&rest).map(|row| (row.event.at, row.event.kind)).collect::<Vec<_>>()
        };
        let all = AuditFilter::default;
        let two = AuditFilter { kinds: vec![EventKind::UserChanged, EventKind::Theft], ..all() };
        let (changed, theft, login) = (EventKind::UserChanged, EventKind::Theft, EventKind::Login);
        assert_eq!(read(two.clone()).await, [(at(3), changed), (at(2), theft), (at(2), changed)]);
        assert_eq!(read(AuditFilter { actor: Some(ben), ..two }).await, [(at(2), theft), (at(2), changed)]);
        let span = AuditFilter { from: Some(at(1)), until: Some(at(3)), ..all() };
        assert_eq!(read(span).await, [(at(2), theft), (at(2), changed), (at(1), login)]);
    }
}

#[tokio::test]
async fn events_are_counted_by_kind_and_step_of_time() {
    for store in stores() {
        let failed = |secs, count| AuditEvent { count, ..event(EventKind::LoginFailed, at(secs)) };
        let events =
            vec![failed(0, 5), failed(59, 1), failed(60, 2), failed(180, 7), event(EventKind::Login, at(61))];
        store.audit(events).await.unwrap();
        let counts = store.audit_counts(AuditCounts {
            kinds: vec![EventKind::LoginFailed, EventKind::Login],
            from: START,
            until: at(180),
            step: Seconds(60),
        });
        let counts = counts.await.unwrap();
        let counts: Vec<_> = counts.iter().map(|count| (count.kind, count.start, count.count)).collect();
        let (failed, login) = (EventKind::LoginFailed, EventKind::Login);
        assert_eq!(counts, [(failed, at(0), 6), (failed, at(60), 2), (login, at(60), 1)]);
    }
}
