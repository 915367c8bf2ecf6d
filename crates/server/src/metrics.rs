//! What `/metrics` tells, in the text format of Prometheus.
//!
//! Guarantee: counting costs one atomic addition. Each server has its own recorder, so several in one process do not
//! mix. What the engine and the live queries count themselves is copied in when somebody asks.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The counters that the server itself keeps.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// Open websockets.
    pub(crate) connections: Gauge,
    /// Websockets opened so far.
    pub(crate) connections_total: Counter,
    /// Websockets ended because the client broke the protocol.
    pub(crate) protocol_errors: Counter,
    /// Messages from clients.
    pub(crate) messages: Counter,
    /// Results of live queries that were told to websockets.
    pub(crate) pushes: Counter,
    /// Pairs of results that were compared, once for all who were told what differs.
    pub(crate) diffs_made: Counter,
    /// Results of live queries that websockets were told by a diff.
    pub(crate) diffs_told: Counter,
    /// Queries run over HTTP.
    pub(crate) http_queries: Counter,
    /// Mutations run over HTTP.
    pub(crate) http_mutations: Counter,
    /// Mutations run over websockets.
    pub(crate) websocket_mutations: Counter,
    /// HTTP requests.
    pub(crate) http_requests: Counter,
}

impl Metrics {
    /// A recorder with everything at zero.
    pub(crate) fn new() -> Metrics {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, describe);
        let made = metrics::with_local_recorder(&recorder, || {
            let requests = |kind: &'static str, over: &'static str| counter!("hull_function_requests_total", "kind" => kind, "over" => over);
            (
                [
                    counter!("hull_connections_opened_total"),
                    counter!("hull_protocol_errors_total"),
                    counter!("hull_client_messages_total"),
                    counter!("hull_query_pushes_total"),
                    counter!("hull_diffs_made_total"),
                    counter!("hull_diff_pushes_total"),
                    requests("query", "http"),
                    requests("mutation", "http"),
                    requests("mutation", "websocket"),
                    counter!("hull_http_requests_total"),
                ],
                gauge!("hull_connections"),
            )
        });
        let (counters, connections) = made;
        let [
            connections_total,
            protocol_errors,
            messages,
            pushes,
            diffs_made,
            diffs_told,
            http_queries,
            http_mutations,
            websocket_mutations,
            http_requests,
        ] = counters;
        connections.set(0.0);
        Metrics {
            recorder,
            handle,
            connections,
            connections_total,
            protocol_errors,
            messages,
            pushes,
            diffs_made,
            diffs_told,
            http_queries,
            http_mutations,
            websocket_mutations,
            http_requests,
        }
    }

    /// Copies in a number that something else keeps and that goes up and down.
    pub(crate) fn set(&self, name: &'static str, value: u64) {
        metrics::with_local_recorder(&self.recorder, || gauge!(name).set(value as f64));
    }

    /// Copies in a number that something else keeps and that only goes up.
    pub(crate) fn count(&self, name: &'static str, value: u64) {
        metrics::with_local_recorder(&self.recorder, || counter!(name).absolute(value));
    }

    /// The text.
    pub(crate) fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

fn describe() {
    describe_gauge!("hull_connections", "Open websockets");
    describe_counter!("hull_connections_opened_total", "Websockets opened since the start");
    describe_counter!("hull_protocol_errors_total", "Websockets ended because the client broke the protocol");
    describe_counter!("hull_client_messages_total", "Messages that websocket clients sent");
    describe_counter!("hull_query_pushes_total", "Results of live queries that websocket clients were told");
    describe_counter!("hull_diffs_made_total", "Pairs of results that were compared to tell what differs");
    describe_counter!(
        "hull_diff_pushes_total",
        "Results of live queries that were told by what has changed in them"
    );
    describe_counter!("hull_function_requests_total", "Functions that clients asked for");
    describe_counter!("hull_http_requests_total", "HTTP requests");
}
