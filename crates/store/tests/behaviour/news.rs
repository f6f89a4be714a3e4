use countersign_core::session::EndReason;
use countersign_store::{EventKind, News, NewsItem, NewsSeq};

use crate::support::{at, ended, event, stores};

#[tokio::test]
async fn there_are_no_news_at_first() {
    for store in stores() {
        assert_eq!(store.news_head().await.unwrap(), NewsSeq::default());
        assert_eq!(store.news(NewsSeq::default()).await.unwrap(), News::default());
    }
}

#[tokio::test]
async fn whoever_asks_after_the_head_gets_each_piece_once_and_in_order() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let sessions = [store.log_in(&ana, at(1)).await, store.log_in(&ana, at(1)).await];
        let mut after = store.news_head().await.unwrap();
        for (secs, session) in (2..).zip(&sessions) {
            let logout = event(EventKind::SessionEnded, at(secs));
            store.end_session(session.id, None, EndReason::Logout, logout).await.unwrap();
        }
        let news = store.news(after).await.unwrap();
        let [first, second] = [&sessions[0], &sessions[1]].map(|session| ended(session, EndReason::Logout));
        assert_eq!(news.items, [(at(2), first), (at(3), second)]);
        assert!(news.head > after);
        assert_eq!(news.head, store.news_head().await.unwrap());

        after = news.head;
        assert_eq!(store.news(after).await.unwrap(), News { head: after, ..News::default() });
        store.set_active(ana.id, false, event(EventKind::UserDeactivated, at(9))).await.unwrap();
        assert_eq!(store.news_since(after).await, [NewsItem::UserChanged(ana.id)]);
    }
}

#[tokio::test]
async fn numbers_go_on_after_old_news_were_removed() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        for secs in [1, 2] {
            store.set_active(ana.id, true, event(EventKind::UserActivated, at(secs))).await.unwrap();
        }
        let head = store.news_head().await.unwrap();
        assert_eq!(store.clean_up(at(0), at(3), at(0)).await.unwrap(), 1, "the last one stays");
        assert_eq!(store.news_since(NewsSeq::default()).await.len(), 1);
        store.set_active(ana.id, true, event(EventKind::UserActivated, at(4))).await.unwrap();
        assert_eq!(store.news_since(head).await, [NewsItem::UserChanged(ana.id)]);
    }
}
