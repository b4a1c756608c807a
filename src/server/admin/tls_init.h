/* server/admin/tls_init.h: `helenus tls init`: an authority of one's own and a certificate that it signs, for who has none.
 *
 *     helenus tls init DIR --name NAME [--name NAME ..] [--region REGION] [--days N]
 *
 *     DIR/ca.crt      the authority (10 years): clients trust it
 *     DIR/ca.key      0600: its key
 *     DIR/server.crt  the server's certificate (398 days, or N) for all NAMEs, which are hosts' names or addresses
 *     DIR/server.key  0600: its key
 *
 * With --region also for the names by which AWS's clients know the services there: a client whose resolver gives them our address, or a
 * proxy before us, finds what it expects.
 *
 * An authority that is in DIR already is used: without server.crt and server.key there a new pair is made, which clients trust as they
 * did the old one. Nothing is ever overwritten.
 *
 * On stdout stands what was made, and what each client needs to connect.
 *
 * Exit codes: 0 done; 2 nothing was made (one line on stderr).
 */
#ifndef SERVER_ADMIN_TLS_INIT_H
#define SERVER_ADMIN_TLS_INIT_H

/* argv after "tls init". */
int tls_init_run(int argc, char *const *argv);

#endif
