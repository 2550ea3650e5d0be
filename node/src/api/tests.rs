//! The API over a real connection, against the fake bank.

use std::num::NonZeroU16;
use std::time::Duration;

use proto::api::v1;
use proto::api::v1::case_service_client::CaseServiceClient;
use proto::api::v1::cluster_service_client::ClusterServiceClient;
use proto::api::v1::indicator_service_client::IndicatorServiceClient;
use proto::api::v1::snapshot_service_client::SnapshotServiceClient;
use proto::types::RangeId;
use tonic::transport::Channel;

use super::*;
use crate::fake::Fake;

/// A served backend; it stops with the test.
async fn served(fake: Fake) -> (Channel, Arc<Calls>) {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(Calls::default());
    let server = serve(listener, Arc::new(fake), Arc::clone(&calls), std::future::pending());
    tokio_util::task::TaskTracker::new().spawn(server);
    (tonic::transport::Endpoint::new(endpoint).unwrap().connect_lazy(), calls)
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    for address in ["0.0.0.0:0", "192.168.1.1:0", "[::]:0"] {
        let problem = listen(address.parse().unwrap()).await.unwrap_err();
        assert_eq!(problem.code, Code::NotLoopback, "{address}");
    }
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let problem = listen(address).await.unwrap_err();
    assert_eq!(problem.code, Code::AddressTaken);
    assert!(problem.what.contains(&address.to_string()));
}

#[tokio::test]
async fn an_answer_says_how_fresh_and_complete_it_is() {
    let (channel, _) = served(Fake { missing: vec![RangeId(2)], ..Fake::default() }).await;
    let cluster = ClusterServiceClient::new(channel)
        .get_cluster(v1::GetClusterRequest {})
        .await
        .unwrap()
        .into_inner();
    let as_of = cluster.as_of.unwrap();
    assert!(!as_of.complete);
    assert_eq!(as_of.missing_ranges, ["ranges/r2"]);
    assert_eq!(as_of.lag.unwrap().to_string(), "0.800s");
    assert_eq!((as_of.map_version, cluster.map_version), (42, 42));
    assert_eq!(as_of.business_time.unwrap().to_string(), "2023-11-14T22:13:20Z");
}

#[tokio::test]
async fn the_total_of_the_ledger_balances_only_where_each_partition_does() {
    // In the last case the total alone would look right.
    for (lost, doubled, balanced) in [(0, 0, true), (5, 0, false), (5, 5, false)] {
        let (channel, _) = served(Fake { lost, doubled, ..Fake::default() }).await;
        let ledger = ClusterServiceClient::new(channel)
            .get_ledger(v1::GetLedgerRequest {})
            .await
            .unwrap()
            .into_inner();
        let total = ledger.total.unwrap();
        assert_eq!(total.balanced, balanced);
        assert_eq!(total.imbalance, i64::try_from(lost).unwrap() - i64::try_from(doubled).unwrap());
        assert_eq!(ledger.rows[0].key, "bank.trace/0");
        assert_eq!(ledger.rows[0].balanced, balanced);
        assert_eq!(ledger.rows[1].balanced, doubled == 0);
        assert!(ledger.rows[2].balanced);
    }
}

#[tokio::test]
async fn a_thousand_ranges_come_in_pages() {
    let (channel, _) = served(Fake { ranges: NonZeroU16::new(120), ..Fake::default() }).await;
    let mut client = ClusterServiceClient::new(channel);
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListRangesRequest { page_size: 50, page_token };
        let page = client.list_ranges(request).await.unwrap().into_inner();
        assert!(page.as_of.is_some());
        names.extend(page.ranges.into_iter().map(|range| range.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, (0..120).map(|id| format!("ranges/r{id}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_transaction_is_open_a_result_only_done_or_unknown() {
    let (channel, calls) = served(Fake::default()).await;
    let mut client = CaseServiceClient::new(channel);
    let mut get = async |id: &str| {
        let name = format!("transactions/{id}");
        client.get_transaction(v1::GetTransactionRequest { name }).await.map(|r| r.into_inner())
    };
    use v1::transaction::State;

    let open = get("t-open").await.unwrap();
    assert_eq!(open.state(), State::Open);
    assert_eq!(open.legs.len(), 2);
    assert_eq!(open.missing().collect::<Vec<_>>(), [v1::leg::Kind::Response]);
    assert_eq!(open.deadline_time.unwrap().to_string(), "2023-11-14T23:18:20Z");

    let done = get("t-done").await.unwrap();
    assert_eq!(done.state(), State::Complete);
    assert_eq!(done.result_json, crate::fake::RESULT);
    assert_eq!(done.legs[2].topic, "bank.response");

    assert_eq!(get("t-old").await.unwrap().state(), State::Done);

    let status = get("nobody").await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(problem_of(&status).code, Code::TransactionNotFound);

    let call = |code| Call { service: "CaseService", method: "GetTransaction", code };
    let counts = [(call(tonic::Code::Ok), 3), (call(tonic::Code::NotFound), 1)];
    assert_eq!(calls.counts(), counts);
    let took = calls.took();
    assert_eq!(took.len(), 1);
    assert_eq!(took[0].0, ("CaseService", "GetTransaction"));
    assert_eq!(took[0].1.count(), 4);
    assert!(took[0].1.sum_us < 60_000_000, "{took:?}");
}

#[tokio::test]
async fn what_nobody_offers_is_counted_under_one_name() {
    let (channel, calls) = served(Fake::default()).await;
    for path in ["/throughline.v1.CaseService/Invented", "/made.up.Service/1", "/nothing"] {
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<v1::GetClusterRequest, v1::Cluster>::default();
        let request = tonic::Request::new(v1::GetClusterRequest {});
        let answer = client.unary(request, path.parse().unwrap(), codec).await;
        assert_eq!(answer.unwrap_err().code(), tonic::Code::Unimplemented, "{path}");
    }
    assert_eq!(calls.counts(), [(Call::UNKNOWN, 3)]);
    assert_eq!(calls.took()[0].1.count(), 3);
}

#[tokio::test]
async fn an_indicator_is_asked_by_dimension_and_time() {
    let (channel, _) = served(Fake::default()).await;
    let mut client = IndicatorServiceClient::new(channel);
    let request = |name: &str| v1::QueryIndicatorRequest {
        name: format!("scenarios/bank/indicators/{name}"),
        filter: "channel = \"atm\"".to_owned(),
        ..v1::QueryIndicatorRequest::default()
    };
    let answer = client.query_indicator(request("duration")).await.unwrap().into_inner();
    assert!(answer.as_of.unwrap().complete);
    assert_eq!(answer.cells.len(), 1);
    assert_eq!(answer.cells[0].key["channel"], "atm");
    assert_eq!(answer.cells[0].value, Some(250.0));
    let status = client.query_indicator(request("activation")).await.unwrap_err();
    assert_eq!(problem_of(&status).code, Code::IndicatorNotFound);
    assert_eq!(problem_of(&status).remedy, ["throughline indicator list"]);
}

#[tokio::test]
async fn a_check_of_a_snapshot_names_what_is_wrong() {
    let (channel, _) = served(Fake::default()).await;
    let mut client = SnapshotServiceClient::new(channel);
    let mut verify = async |name: &str| {
        let name = name.to_owned();
        client.verify_snapshot(v1::VerifySnapshotRequest { name }).await.map(|r| r.into_inner())
    };
    assert!(verify("snapshots/s2").await.unwrap().faults.is_empty());
    assert_eq!(verify("snapshots/s1").await.unwrap().faults[0].object, "r2/17.sst");
    assert_eq!(problem_of(&verify("snapshots/x").await.unwrap_err()).code, Code::SnapshotNotFound);
    assert_eq!(problem_of(&verify("s2").await.unwrap_err()).code, Code::BadArgument);
}

#[tokio::test]
async fn every_service_is_served_healthy_and_described() {
    use prost_reflect::DescriptorPool;
    let (channel, _) = served(Fake::default()).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let described: Vec<String> = pool.services().map(|s| s.full_name().to_owned()).collect();
    assert_eq!(described.len(), service_names().len());
    for service in described {
        let request = tonic_health::pb::HealthCheckRequest { service };
        assert_eq!(health.check(request).await.unwrap().into_inner().status, 1);
    }
}

#[tokio::test]
async fn a_client_without_our_files_finds_the_services_by_reflection() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};

    let (channel, _) = served(Fake::default()).await;
    let ask = async |message| {
        let message_request = Some(message);
        let request = ServerReflectionRequest { host: String::new(), message_request };
        let mut answers = ServerReflectionClient::new(channel.clone())
            .server_reflection_info(tokio_stream::once(request))
            .await
            .unwrap()
            .into_inner();
        answers.message().await.unwrap().unwrap().message_response
    };
    // What the details of errors are made of, and whether a service is well.
    for symbol in ["google.rpc.ErrorInfo", "grpc.health.v1.Health", "throughline.v1.Cluster"] {
        let answer = ask(MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
        let found = matches!(answer, Some(MessageResponse::FileDescriptorResponse(_)));
        assert!(found, "{symbol}: {answer:?}");
    }
    let answer = ask(MessageRequest::ListServices(String::new())).await;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("{answer:?}") };
    let found: Vec<String> =
        list.service.into_iter().map(|ServiceResponse { name }| name).collect();
    for name in service_names().into_iter().chain(["grpc.health.v1.Health"]) {
        assert!(found.iter().any(|found| found == name), "{name} is not in {found:?}");
    }
}

#[tokio::test]
async fn what_an_operator_asks_arrives_checked_and_comes_back_in_words() {
    use coordinator::machine::entry::Intent;
    use coordinator::machine::wish::Request;
    use proto::types::NodeId;

    let fake = Fake::default();
    let changes = Arc::clone(&fake.changes);
    let (channel, calls) = served(fake).await;
    let mut client = ClusterServiceClient::new(channel);
    let name = || "nodes/node-2".to_owned();
    let drain = v1::DrainNodeRequest { name: name(), validate_only: true, request_id: "7".into() };
    let granted = client.drain_node(drain).await.unwrap().into_inner();
    assert_eq!(granted.summary, "node-2 gives its ranges to others and gets none");
    assert_eq!((granted.leader.as_str(), granted.map_version), ("node-1", 42));
    assert!(granted.validate_only);
    let cordon = v1::CordonNodeRequest { name: name(), ..Default::default() };
    assert!(!client.cordon_node(cordon).await.unwrap().into_inner().validate_only);
    let undrain = v1::UncordonNodeRequest { name: name(), ..Default::default() };
    client.uncordon_node(undrain).await.unwrap();
    let (name, target_node) = ("ranges/r5".to_owned(), "node-3".to_owned());
    let ask = v1::MoveRangeRequest { name: name.clone(), target_node, ..Default::default() };
    assert_eq!(client.move_range(ask).await.unwrap().into_inner().summary, "r5 moves to node-3");
    let ask =
        v1::SplitRangeRequest { name: name.clone(), split_hash: Some(9), ..Default::default() };
    client.split_range(ask).await.unwrap();
    let ask = v1::MergeRangesRequest { name, other: "ranges/r6".into(), ..Default::default() };
    client.merge_ranges(ask).await.unwrap();
    client.rebalance_cluster(v1::RebalanceClusterRequest::default()).await.unwrap();

    let changes = changes.lock().clone();
    let node = |number: u32| NodeId::new(&format!("node-{number}")).unwrap();
    let intend = |intent| Request::Intend { node: node(2), intent };
    let expected = [
        intend(Intent::Drain),
        intend(Intent::Cordon),
        intend(Intent::Serve),
        Request::Move { range: RangeId(5), to: node(3) },
        Request::Split { range: RangeId(5), at: Some(9) },
        Request::Merge { left: RangeId(5), right: RangeId(6) },
        Request::Rebalance,
    ];
    assert_eq!(changes.iter().map(|it| it.request.clone()).collect::<Vec<_>>(), expected);
    assert_eq!((changes[0].is_trial, changes[0].request_id.as_str()), (true, "7"));
    assert_eq!((changes[1].is_trial, changes[1].request_id.as_str()), (false, ""));
    assert_eq!(calls.counts().len(), 7);
}

#[tokio::test]
async fn what_cannot_be_meant_never_reaches_who_leads() {
    let fake = Fake::default();
    let changes = Arc::clone(&fake.changes);
    let (channel, _) = served(fake).await;
    let mut client = ClusterServiceClient::new(channel);
    let drain = |name: &str, id: &str| {
        let (name, request_id) = (name.to_owned(), id.to_owned());
        v1::DrainNodeRequest { name, request_id, ..Default::default() }
    };
    for request in [drain("", ""), drain("nodes/A B", ""), drain("node-1", &"x".repeat(129))] {
        let status = client.drain_node(request).await.unwrap_err();
        assert_eq!(problem_of(&status).code, Code::BadArgument);
    }
    assert!(changes.lock().is_empty());
    let status = client.drain_node(drain("node-9", "")).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(problem_of(&status).code, Code::NodeNotFound);
}

#[tokio::test]
async fn who_watches_is_told_at_once_and_then_what_changes() {
    let (channel, _) = served(Fake { others: 2, ..Fake::default() }).await;
    let mut client = ClusterServiceClient::new(channel);
    let interval = Some(prost_types::Duration { seconds: 0, nanos: 1 });
    let request = v1::WatchClusterRequest { interval };
    let mut views = client.watch_cluster(request).await.unwrap().into_inner();
    let mut owners = Vec::new();
    for _ in 0..3 {
        let view = views.message().await.unwrap().unwrap();
        assert_eq!((view.nodes.len(), view.ranges.len()), (3, 4));
        assert_eq!(view.cluster.unwrap().leader, "node-1");
        owners.push(view.ranges[0].owner.clone());
    }
    assert_eq!(owners, ["node-1", "node-2", "node-1"]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_changes_who_watches_hears_within_ten_seconds_all_the_same() {
    use futures::StreamExt as _;
    use tokio::time::Instant;

    let fake = Fake { is_still: true, ..Fake::default() };
    let overviews = Arc::clone(&fake.overviews);
    let ending = CancellationToken::new();
    let (backend, calls) = (Arc::new(fake), Arc::default());
    let services = Services { backend, calls, ending: ending.clone() };
    let first = overview(services.backend.overview().await.unwrap());
    let began = Instant::now();
    let mut views = services.views(first.clone(), Duration::from_secs(3));
    // Time stands still but for what is waited for, so this is exact.
    for seconds in [0, 9, 18] {
        assert_eq!(views.next().await.unwrap().unwrap(), first);
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
    assert_eq!(overviews.load(std::sync::atomic::Ordering::Relaxed), 7);
    // A server that stops waits for its calls.
    ending.cancel();
    assert!(views.next().await.is_none());
}

#[test]
fn nobody_is_told_faster_than_he_can_read_nor_slower_than_the_heartbeat() {
    let of = |seconds, nanos| watch::interval(Some(&prost_types::Duration { seconds, nanos }));
    assert_eq!(watch::interval(None), Ok(Duration::from_secs(1)));
    assert_eq!(of(0, 0), Ok(Duration::from_millis(250)));
    assert_eq!(of(2, 0), Ok(Duration::from_secs(2)));
    assert_eq!(of(3600, 0), Ok(Duration::from_secs(10)));
    assert_eq!(of(-1, 0).unwrap_err().code, Code::BadArgument);
}
