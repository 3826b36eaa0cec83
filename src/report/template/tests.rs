//! Lines of documents, settings and source code, with templates and with secrets. What is written with `{alnum:20}` is
//! random; it is expanded here, since a secret must not stand in the tree.

use std::path::Path;

use super::*;
use crate::engine::{Engine, Limits, Policy};
use crate::rules::{Catalog, generator};

/// Findings of the line that are no templates.
fn left(engine: &Engine, file: &str, template: &str) -> Vec<String> {
    let line = generator::expand(template, 7).expect("a known generator");
    let line = line.as_bytes();
    let spans = engine.find(&mut engine.scratch(), line);
    let real =
        spans.iter().filter(|span| !is_template(line, span.start..span.end, span.why, FileKind::of(Path::new(file))));
    real.map(|span| format!("{}@{}..{}", engine.rules()[span.rule.index()].id, span.start, span.end)).collect()
}

fn engine() -> Engine {
    Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap()
}

/// File and line in which nothing may be reported.
const TEMPLATES: &[(&str, &str)] = &[
    ("README.md", "api_key = \"your-api-key-here\""),
    ("README.md", "SR_API_KEY=sr_YOUR_API_KEY"),
    ("README.md", "export API_KEY=sr_YOUR_API_KEY"),
    ("client.ts", "Authorization: `Bearer ${userSessionToken}`"),
    ("README.md", "Authorization: Bearer ${userSessionToken}"),
    ("README.md", "curl -H \"Authorization: Bearer YOUR_TOKEN\" https://api.example.com"),
    ("README.md", "curl -H 'Authorization: Bearer <token>'"),
    ("README.md", "curl -H \"Authorization: Bearer $TOKEN\""),
    ("README.md", "curl -H \"Authorization: Bearer $(cat token)\""),
    ("client.py", "headers = {\"Authorization\": f\"Bearer {token}\"}"),
    ("client.py", "headers = {\"Authorization\": \"Bearer {}\".format(token)}"),
    ("client.js", "  \"Authorization\": \"Bearer \" + token,"),
    ("client.js", "  token: process.env.TOKEN,"),
    ("client.js", "const token = process.env.GITHUB_TOKEN;"),
    ("client.js", "let token = req.headers[\"x-token\"];"),
    ("client.js", "const password = await getPassword(user);"),
    ("settings.py", "PASSWORD = os.environ[\"DB_PASSWORD\"]"),
    ("settings.py", "PASSWORD = os.environ.get('DB_PASSWORD', '')"),
    ("settings.py", "password = config.get(\"password\")"),
    ("settings.py", "self.password = password"),
    ("settings.py", "conn = connect(user=user, password=password)"),
    ("settings.py", "conn = connect(password=self.settings.db_password)"),
    ("settings.py", "dsn = \"password=%(password)s\""),
    ("settings.py", "def login(user: str, password: str = None):"),
    ("main.go", "password := os.Getenv(\"DB_PASSWORD\")"),
    ("main.go", "cfg.Token = token2"),
    ("Main.java", "String password = System.getenv(\"DB_PASSWORD\");"),
    ("main.tf", "password = var.db_password"),
    ("main.tf", "password = random_password.db.result"),
    ("app.yaml", "password: ${DB_PASSWORD}"),
    ("app.yaml", "password: ${DB_PASSWORD:-changeme}"),
    ("app.yaml", "password: !Ref DbPassword"),
    ("ci.yml", "token: ${{ secrets.GITHUB_TOKEN }}"),
    ("chart.yaml", "password: {{ .Values.password | quote }}"),
    ("chart.yaml", "secret_key = \"{{ secret_key }}\""),
    ("flags.rs", "pub const TOKEN_NOT_LOW: u32 = 0x8000_0001u32;"),
    ("flags.rs", "pub const SUBSINFO_PASSWORD: FLAGS = -2147221502i32 as _;"),
    ("flags.rs", "pub const PIN_IF_BCB: Guid = Guid::from_u128(0x1a2b3c4d_5e6f_7a8b_9c0d_112233445566);"),
    ("parse.rs", "fn parse_token(input: ParseStream) -> Result<TokenStream> {"),
    ("parse.rs", "/// pub fn my_attr(args: TokenStream, token: TokenStream) -> TokenStream {"),
    ("hash.c", "statePtr->secret = (const unsigned char*)secret;"),
    ("main.go", "if user.Password == TokenSha256Base64 {"),
    ("rules.yml", "pattern: password=(?P<password>[A-Za-z0-9]{32})"),
    ("rules.go", "var apiKeyRe = regexp.MustCompile(`[a-z0-9]{32}`)"),
    (".env", "DB_PASSWORD=changeme"),
    (".env", "DB_PASSWORD=changeme123"),
    (".env", "DB_PASSWORD=<your-password>"),
    (".env", "API_TOKEN=xxxxxxxxxxxxxxxxxxxxxxxx"),
    (".env", "API_TOKEN=XXXX-XXXX-XXXX"),
    (".env", "API_TOKEN=************"),
    (".env", "API_TOKEN=1234567890abcdef"),
    (".env", "API_TOKEN=00000000000000000000"),
    (".env", "JWT_SECRET=replace-me-with-a-long-random-string"),
    (".env", "JWT_SECRET=supersecret"),
    (".env", "SECRET_KEY=op://vault/item/secret"),
    (".env", "SECRET_KEY=/run/secrets/key1"),
    (".env", "SECRET_KEY=ENC[AES256_GCM,data:{alnum:24},iv:{alnum:24}]"),
    (".env.example", "DB_PASSWORD=Summer-2024!"),
    ("config.sample.yml", "password: s3cr3t!"),
    ("README.md", "OPENAI_API_KEY=sk-..."),
    ("README.md", "token = \"ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""),
    ("README.md", "token = \"ghp_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\""),
    ("README.md", "token = \"ghp_yourpersonalaccesstokengoesherexxxxx\""),
    ("README.md", "postgres://user:password@localhost/db"),
    ("README.md", "postgres://user:pass@db:5432/app"),
    ("README.md", "https://user:s3cr3t!@example.com/"),
    ("README.md", "mysql://root:${MYSQL_PASSWORD}@db/app"),
    ("README.md", "mysql://root:<password>@db/app"),
    ("README.md", "password: [your password]"),
    ("README.md", "--password=YOUR_PASSWORD --token=my-token"),
    ("README.md", "client_secret: YOUR_ACME_CLIENT_SECRET"),
    ("README.md", "\"apiKey\": \"YOUR-FIREBASE-API-KEY\""),
    ("README.md", "\"apiKey\": \"insert_api_key_here\""),
    ("README.md", "\"token\": \"test-token\""),
    ("README.md", "\"token\": \"fake_token_123\""),
    ("README.md", "\"client_secret\": \"not-a-real-secret\""),
];

/// File and line in which something must be reported.
const SECRETS: &[(&str, &str)] = &[
    ("README.md", "token = \"ghp_{alnum:36}\""),
    (".env.example", "GITHUB_TOKEN=ghp_{alnum:36}"),
    (".env.example", "API_KEY={alnum:32}"),
    (".env", "DB_PASSWORD=hunter2"),
    (".env", "DB_PASSWORD=Summer-2024!"),
    (".env", "DB_PASSWORD=Tr0ub4dor&3"),
    (".env", "DB_PASSWORD=correcthorsebatterystaple"),
    (".env", "API_KEY=your-{alnum:32}"),
    (".env", "API_KEY={alnum:32}"),
    (".env", "API_KEY=test_{alnum:24}"),
    (".env", "API_KEY={hex:32}"),
    ("client.js", "const token = \"{alnum:32}\";"),
    ("client.js", "headers: { Authorization: \"Bearer {alnum:40}\" }"),
    ("client.js", "headers: { Authorization: `Bearer {alnum:40}` }"),
    ("client.py", "password = 'hunter2'  # os.environ"),
    ("client.py", "password = \"S3cure-Passw0rd!\""),
    ("client.py", "# password: Xy7!kk29aQ"),
    ("client.py", "connect('user=ada password=hunter2x host=db')"),
    ("client.rs", "let dsn: &'static str = \"user=ada password=hunter2x\";"),
    ("client.js", "const args = [`--password=hunter2x`, user];"),
    ("setup.py", "DB_PASSWORD=hunter2x"),
    ("client.go", "cfg.Token = \"{alnum:40}\""),
    ("app.json.gz", "{\"password\": \"hunter2x\"}"),
    ("app.yaml", "password: {alnum:20}"),
    ("app.yaml", "token: {alnum:10}.{alnum:12}.{alnum:30}"),
    ("app.log", "user=ada password=hunter2 ok"),
    ("README.md", "postgres://svc:{alnum:20}@db.prod.internal/app"),
    ("README.md", "https://user:{alnum:24}@example.com/"),
];

#[test]
fn a_template_is_left_alone() {
    let engine = engine();
    let wrong: Vec<_> = TEMPLATES
        .iter()
        .map(|(file, line)| (file, line, left(&engine, file, line)))
        .filter(|(_, _, left)| !left.is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_secret_is_none() {
    let engine = engine();
    let missed: Vec<_> = SECRETS.iter().filter(|(file, line)| left(&engine, file, line).is_empty()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_value_the_operator_told_of_is_never_a_template() {
    let line = b"x your-api-key-here x";
    assert!(!is_template(line, 2..19, Why::Known { value: 0 }, FileKind::of(Path::new("a.example"))));
    assert!(is_template(line, 2..19, Why::Pattern { valid: None }, FileKind::of(Path::new("a.txt"))));
}
