/**
 * Which file systems are reached over a network, or may be. Their clients keep attributes for a while, so that an owner
 * may not see that its file was taken away.
 *
 * The numbers are those of statfs(2): from Linux's `include/uapi/linux/magic.h`, and for file systems outside of the
 * kernel from `src/stat.c` of the GNU coreutils, which also tells the remote ones. Left out of its list are overlays
 * (AUFS, OverlayFS), because every container has one and what lies under it is local as a rule.
 */

import type { FileSystem } from '../file-system.js';

/** Names by number. */
export const networkVolumes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x6e667364, 'NFSD'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  // sshfs, GlusterFS, s3fs and their like; local ones can't be told from them.
  [0x65735546, 'FUSE'],
  // Folders of the host in virtual machines, containers and WSL.
  [0x01021997, '9P'],
  [0x7c7c6673, 'prl_fs'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'kAFS'],
  [0x00c36400, 'Ceph'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0xaad7aaea, 'PanFS'],
  [0xbeefdead, 'StorNext'],
  [0x013111a8, 'IBRIX'],
  // Disks that several machines write to.
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x61636673, 'ACFS'],
  [0xa501fcf5, 'VxFS'],
]);

/** Whether a path lies on a network file system. Where that can't be told, it counts as local. */
export async function isOnNetwork(files: FileSystem, path: string): Promise<boolean> {
  const type = await files.volumeType?.(path);
  return type !== undefined && networkVolumes.has(type);
}
