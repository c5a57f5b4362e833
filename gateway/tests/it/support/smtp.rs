//! An SMTP server (RFC 5321) that keeps what it gets, or refuses it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc},
};

/// A letter as it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) to: String,
    pub(crate) whole: String,
}

impl Received {
    /// The token of the link in it.
    pub(crate) fn token(&self) -> String {
        // Quoted-printable: soft line breaks, and `=` as `=3D`.
        let text = self.whole.replace("=\r\n", "").replace("=3D", "=");
        let (_, rest) = text.split_once("#token=").expect("the letter holds a link");
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

/// A running server.
pub(crate) struct Smtp {
    address: SocketAddr,
    letters: Mutex<mpsc::UnboundedReceiver<Received>>,
    refusal: Arc<AtomicU16>,
}

impl Smtp {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, letters) = mpsc::unbounded_channel();
        let refusal = Arc::new(AtomicU16::new(0));
        let code = Arc::clone(&refusal);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, code) = (sender.clone(), Arc::clone(&code));
                tokio::spawn(async move { talk(stream, &sender, &code).await });
            }
        });
        Self { address, letters: Mutex::new(letters), refusal }
    }

    pub(crate) fn transport(&self) -> gateway::Transport {
        let url = format!("smtp://{}", self.address).into();
        gateway::Transport::new(&url, "Platform of the Test <no-reply@platform.test>").unwrap()
    }

    /// Refuses every recipient with this code from now on; 0 takes them.
    pub(crate) fn refuse(&self, code: u16) {
        self.refusal.store(code, Ordering::Relaxed);
    }

    /// The next letter.
    pub(crate) async fn letter(&self) -> Received {
        let mut letters = self.letters.lock().await;
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), letters.recv());
        next.await.expect("a letter comes").unwrap()
    }

    /// Whether another letter has come.
    pub(crate) async fn has_letter(&self) -> bool {
        !self.letters.lock().await.is_empty()
    }
}

async fn talk(
    stream: TcpStream,
    sender: &mpsc::UnboundedSender<Received>,
    refusal: &AtomicU16,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut to = String::new();
    stream.write_all(b"220 test\r\n").await.ok()?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let verb = line.split([' ', '\r']).next()?.to_ascii_uppercase();
        let refused = refusal.load(Ordering::Relaxed);
        let answer = match verb.as_str() {
            "EHLO" => "250-test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n".to_owned(),
            "RCPT" if refused > 0 => format!("{refused} not now\r\n"),
            "RCPT" => {
                to = line.split(['<', '>']).nth(1)?.to_owned();
                "250 ok\r\n".to_owned()
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut whole = String::new();
                while !whole.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut whole).await.ok()?;
                }
                sender.send(Received { to: to.clone(), whole }).ok()?;
                "250 ok\r\n".to_owned()
            }
            "QUIT" => "221 bye\r\n".to_owned(),
            _ => "250 ok\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
