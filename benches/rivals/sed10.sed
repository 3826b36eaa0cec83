s/AKIA[A-Z2-7]{16}/[REDACTED]/g
s/gh[pousr]_[A-Za-z0-9]{36,}/[REDACTED]/g
s/github_pat_[A-Za-z0-9_]{82}/[REDACTED]/g
s/glpat-[A-Za-z0-9_-]{20,}/[REDACTED]/g
s/xox[abeprs]-[A-Za-z0-9-]{24,}/[REDACTED]/g
s/[rs]k_live_[A-Za-z0-9]{24,}/[REDACTED]/g
s/AIza[A-Za-z0-9_-]{35}/[REDACTED]/g
s/eyJ[A-Za-z0-9_-]{14,}\.eyJ[A-Za-z0-9_-]{14,}\.[A-Za-z0-9_-]{20,}/[REDACTED]/g
s/([Bb]earer|[Bb]asic) [A-Za-z0-9+\/=_-]{16,}/\1 [REDACTED]/g
s/(password|api_key|client_secret|access_token)=[^ &"]+/\1=[REDACTED]/g
