//! History at three levels with each of its bounds, and the past as it was.

use super::bench::{Bench, KIND, delete, key, key_in, must, put};
use super::records::whole;
use super::{KEPT, OTHER};
use crate::{
    At, HistoryOf, HistoryOrder, HistoryPage, Instant, Listed, Position, Record, TypeNumber,
};

/// Six changes, each a commit of its own at a time of its own.
async fn six(bench: &Bench) -> Vec<Instant> {
    let mut times = Vec::new();
    for change in [
        put(key("a"), "1"),
        put(key_in(KEPT, TypeNumber(2), "a"), "2"),
        put(key("a"), "3"),
        put(key_in(OTHER, KIND, "a"), "4"),
        put(key("b"), "5"),
        delete(key("a")),
    ] {
        bench.clock.advance(1_000);
        times.push(bench.change(vec![change]).await.time);
    }
    bench.pause().await;
    times
}

/// The positions of a page, whose versions are the same without their content.
async fn ask(bench: &Bench, of: &HistoryOf, page: HistoryPage) -> Vec<u64> {
    let view = bench.newest().await;
    let found = must(view.history(of, &page).await);
    let number = |it: &Record| Listed {
        kind: it.key.kind,
        row: it.row,
        version: it.version,
        position: it.position,
    };
    let listed: Vec<Listed> = found.iter().map(number).collect();
    assert_eq!(must(view.listed(of, &page).await), listed);
    found.iter().map(|record| record.position.0).collect()
}

const OF_KIND: HistoryOf = HistoryOf::Kind(KEPT, KIND);
const OF_SPACE: HistoryOf = HistoryOf::Space(KEPT);

fn of_record() -> HistoryOf {
    HistoryOf::Record(key("a"))
}

pub(super) async fn three_levels(bench: &Bench) {
    six(bench).await;
    assert_eq!(ask(bench, &of_record(), whole()).await, [1, 3, 6]);
    assert_eq!(ask(bench, &OF_KIND, whole()).await, [1, 3, 5, 6]);
    assert_eq!(ask(bench, &OF_SPACE, whole()).await, [1, 2, 3, 5, 6]);
}

pub(super) async fn pages_in_both_orders(bench: &Bench) {
    six(bench).await;
    let page = |order, after: Option<u64>, limit| HistoryPage {
        order,
        after: after.map(Position),
        limit,
        ..whole()
    };
    let (newest, oldest) = (HistoryOrder::NewestFirst, HistoryOrder::OldestFirst);
    let all = page(newest, None, 10);
    assert_eq!(ask(bench, &OF_SPACE, all).await, [6, 5, 3, 2, 1]);
    assert_eq!(
        ask(bench, &OF_SPACE, page(newest, Some(5), 2)).await,
        [3, 2]
    );
    assert_eq!(
        ask(bench, &OF_SPACE, page(oldest, Some(2), 2)).await,
        [3, 5]
    );
    assert_eq!(
        ask(bench, &of_record(), page(newest, Some(6), 1)).await,
        [3]
    );
    let page = page(oldest, Some(3), 0);
    assert_eq!(ask(bench, &OF_SPACE, page.clone()).await, [0; 0]);
    assert_eq!(
        must(bench.newest().await.history_total(&OF_SPACE, &page).await),
        5
    );
}

pub(super) async fn bounds_in_time(bench: &Bench) {
    let times = six(bench).await;
    let since = HistoryPage {
        since: Some(times[2]),
        ..whole()
    };
    assert_eq!(ask(bench, &OF_SPACE, since).await, [3, 5, 6]);
    let before = HistoryPage {
        before: Some(times[2]),
        ..whole()
    };
    assert_eq!(ask(bench, &OF_SPACE, before).await, [1, 2]);
    // When position 5 came, version 3 of `a` was the newest, and version 1 was not any more.
    let current = HistoryPage {
        current_from: Some(times[4]),
        ..whole()
    };
    assert_eq!(ask(bench, &OF_KIND, current.clone()).await, [3, 5, 6]);
    assert_eq!(ask(bench, &of_record(), current.clone()).await, [3, 6]);
    let bounded = HistoryPage {
        before: Some(times[5]),
        limit: 1,
        ..current
    };
    assert_eq!(ask(bench, &OF_KIND, bounded.clone()).await, [3]);
    assert_eq!(
        must(bench.newest().await.history_total(&OF_KIND, &bounded).await),
        2
    );
}

pub(super) async fn the_past_stays_as_it_was(bench: &Bench) {
    for n in 1..=6 {
        bench.change(vec![put(key("a"), &n.to_string())]).await;
    }
    bench.change(vec![delete(key("a"))]).await;
    bench.pause().await;
    for at in 0..=7 {
        let view = must(
            bench
                .store()
                .view(&super::bench::tenant(), At::Position(Position(at)))
                .await,
        );
        let read = must(view.read(&[key("a")]).await).remove(0);
        let text = read.map(|record| record.body);
        let expected = match at {
            0 => None,
            7 => Some(String::new()),
            n => Some(n.to_string()),
        };
        assert_eq!(text, expected.map(bytes::Bytes::from));
        let history = must(view.history(&HistoryOf::Space(KEPT), &whole()).await);
        assert_eq!(history.len() as u64, at);
        assert_eq!(
            must(view.ledger(Position(0), None, 100).await).len() as u64,
            at
        );
    }
}
