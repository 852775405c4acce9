/* getaddr FAMILY NAME: what getaddrinfo of the C library it is built with answers, one address a line; FAMILY is 4, 6 or any. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("getaddr FAMILY NAME\n", stderr);
        return 2;
    }

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    hints.ai_family = !strcmp(argv[1], "4") ? AF_INET : !strcmp(argv[1], "6") ? AF_INET6 : AF_UNSPEC;
    int error = getaddrinfo(argv[2], "80", &hints, &found);
    if (error) {
        printf("%s\n", gai_strerror(error));
        return 0;
    }

    for (struct addrinfo *one = found; one; one = one->ai_next) {
        char text[INET6_ADDRSTRLEN];
        getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
        puts(text);
    }

    freeaddrinfo(found);
    return 0;
}
