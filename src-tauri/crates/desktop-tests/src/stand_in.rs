//! A page of our own in the place of the providers: it tries what a hostile page would, and tells what came of it.

use anyhow::Result;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Answers every `GET` with what `answer` makes of its path, and keeps what pages `POST`.
pub struct StandIn {
    /// Its port on this machine.
    pub port: u16,
    reports: watch::Receiver<Vec<String>>,
    paths: Arc<Mutex<Vec<String>>>,
}

/// What is answered to a `GET`.
pub enum Page {
    /// A page.
    Html(String),
    /// Another address.
    Redirect(String),
}

impl StandIn {
    /// Starts it.
    pub async fn start(answer: impl Fn(&str) -> Page + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (sender, reports) = watch::channel(Vec::new());
        let paths = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&paths), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer, sender) = (Arc::clone(&seen), Arc::clone(&answer), sender.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &*answer, &seen, &sender).await;
                });
            }
        });
        Ok(Self { port, reports, paths })
    }

    /// Its base address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The path of every `GET` so far.
    pub fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the report number `count`, counted from 1.
    pub async fn report(&mut self, count: usize) -> Result<String> {
        let reported = tokio::time::timeout(crate::PATIENCE, self.reports.wait_for(|reports| reports.len() >= count));
        Ok(reported.await??[count - 1].clone())
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(impl Fn(&str) -> Page + ?Sized),
    seen: &Mutex<Vec<String>>,
    reports: &watch::Sender<Vec<String>>,
) -> Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await?;
        bytes.extend_from_slice(&chunk[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if read == 0 {
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut words = text.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "POST" {
        let length = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse::<usize>().ok())
            .unwrap_or_default();
        while bytes.len() < head + length {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                break;
            }
            bytes.extend_from_slice(&chunk[..read]);
        }
        let report = String::from_utf8_lossy(&bytes[head..]).into_owned();
        reports.send_modify(|reports| reports.push(report));
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await?;
        return Ok(());
    }
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
    let answer = match answer(path) {
        Page::Html(html) => format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{html}",
            html.len()
        ),
        Page::Redirect(to) => {
            format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    Ok(())
}
