const MAX_LINES = 400;

/** What a machine writes to its serial console: the last few hundred lines. */
export class Console {
  #lines: string[] = [];

  /** The beginning of a boot. */
  boot(name: string, image: string): void {
    this.print(
      'SeaBIOS (version 1.16.2-debian-1.16.2-1)',
      'Booting from Hard Disk...',
      'Linux version 6.1.0-38-cloud-amd64 (debian-kernel@lists.debian.org)',
      `systemd[1]: Hostname set to <${name}>.`,
      `systemd[1]: Booting image ${image}.`,
      'systemd[1]: Started containerd.service - containerd container runtime.',
      'systemd[1]: Reached target network-online.target - Network is Online.',
    );
  }

  print(...lines: string[]): void {
    this.#lines.push(...lines.flatMap((l) => l.split('\n')));
    if (this.#lines.length > MAX_LINES * 1.5) this.#lines = this.#lines.slice(-MAX_LINES);
  }

  /** Oldest first. */
  lines(): string[] {
    return [...this.#lines];
  }
}
