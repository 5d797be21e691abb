//! The floor: a pass-through on the gateway's own HTTP stack. No token, limit, plugin or storage: what the best gateway could cost.

use std::convert::Infallible;

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::{Body, Client, header::CONTENT_TYPE};
use tokio::{net::TcpListener, task::JoinSet};

/// Passes everything on to `upstream`, until killed. Prints its address.
pub(crate) async fn serve(upstream: &str) {
    // Nothing here speaks TLS, but a client wants to know how it would. Installed before means the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().no_proxy().pool_max_idle_per_host(1024).build();
    let client = client.expect("a client of plain HTTP");
    let url = format!("http://{upstream}/v1/chat/completions");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("{}", listener.local_addr().expect("bound"));
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream.set_nodelay(true));
        let (client, url) = (client.clone(), url.clone());
        let pass = service_fn(move |request| pass(client.clone(), url.clone(), request));
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new());
        connections.spawn(server.serve_connection(TokioIo::new(stream), pass));
    }
}

async fn pass(
    client: Client,
    url: String,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let sent = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .bearer_auth("key-of-the-bench")
        .body(Body::wrap(request.into_body()))
        .send()
        .await;
    Ok(sent.expect("the upstream answers").into())
}
