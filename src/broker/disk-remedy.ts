/** What to do about a log directory that failed, by the code of the operating system that is the cause. */
export function remedyOf(error: Error): string {
  switch ((error.cause as NodeJS.ErrnoException | undefined)?.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Make room on the disk'
    case 'EMFILE':
    case 'ENFILE':
      return 'Raise the limit of open files (ulimit -n)'
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'Let this process write there'
    default:
      return 'Mend the disk'
  }
}
